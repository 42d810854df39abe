// Draws a mask track as a person does, on the node's own picture and timeline: mouse, buttons, keys; tells what came of it.

const path = require("path");
const { reopened } = require("./open.cjs");
const { pressRun, ran } = require("./runs.cjs");
const { TRY_MS, done, sections } = require("./steps.cjs");
const editor = require("./track_editor.cjs");
const { begun, tools } = require("./track_tools.cjs");

/** The sections of this part of a visit: `template` is what the node is put into. */
async function visited({ page, seen, pictures, modern }, { template }) {
  const section = sections(page, pictures, async () => {
    await reopened(page);
    await begun(page);
  });
  const found = {};
  found.drawn = await section("drawn", async () => {
    await graphed(page, template);
    await page.keyboard.press("Escape"); // dialogs that the template brings up
    await editor.closeUp(page);
    return { fresh: await editor.told(page), ...(await drawn(page, pictures)), complaints: seen.take() };
  });
  const name = modern ? "drawn in 2.0" : "drawn";
  found.reloaded = await section("saved and reloaded", () => savedAndReloaded(page, name), ["drawn"]);
  const overlays = () => editor.overlays(page, found.reloaded.clip.frames);
  found.overlays = await section("overlays", overlays, ["saved and reloaded"]);
  found.run = await section("run", () => ran(page, () => pressRun(page)), ["saved and reloaded"]);
  found.undone = await section("page undone", () => undoneByPage(page, pictures), ["saved and reloaded"]);
  found.copies = await section("copies", () => copied(page, pictures), ["saved and reloaded"]);
  await section("blank workflow", () => begun(page));
  found.tools = await tools(page, pictures, section);
  return found;
}

/** The demo's template with a mask track between its clip and its edit, and the masks saved as pictures. */
async function graphed(page, template) {
  const url = `/api/workflow_templates/reelpatch/${encodeURIComponent(template)}.json`;
  await page.evaluate(async (file) => {
    await window.app.loadGraphData(await (await fetch(file)).json(), true, true);
    const { graph } = window.app;
    const make = (type, pos) => {
      const node = window.LiteGraph.createNode(type);
      node.pos = pos;
      graph.add(node);
      return node;
    };
    const clip = graph.nodes.find((one) => one.type === "LoadVideo");
    const edit = graph.nodes.find((one) => one.isSubgraphNode?.());
    const track = make("ReelpatchMaskTrack", [0, 1400]);
    const [image, save] = [make("MaskToImage", [700, 1400]), make("SaveImage", [1000, 1400])];
    clip.connect(0, track, "clip");
    track.connect(0, edit, "mask");
    track.connect(0, image, "mask");
    image.connect(0, save, "images");
    save.widgets.find((one) => one.name === "filename_prefix").value = "track";
  }, url);
}

/** A box, two keyframes, a ramp; undone and done again. The texts after each. */
async function drawn(page, pictures) {
  const { at, drag } = await editor.hands(page);
  const texts = {};
  const keep = async (name) => (texts[name] = (await editor.told(page)).text);
  await editor.stage(page).focus();
  await page.keyboard.press("n");
  await page.keyboard.press("Delete");
  await keep("empty");
  await page.getByRole("button", { name: "Draw a box (B)" }).click();
  await drag(at(0.1, 0.15), at(0.5, 0.5));
  await keep("box");
  await page.keyboard.press("k");
  for (let step = 0; step < 4; step += 1) await page.keyboard.press(".");
  await drag(at(0.3, 0.3), at(0.6, 0.5));
  await keep("keyframes");
  await editor.dragOnTimeline(page, "full-0", 4);
  await keep("ramp");
  await page.screenshot({ path: path.join(pictures, "drawn.png") });
  const id = await editor.identity(page);
  await page.keyboard.press("Control+z");
  await keep("undone");
  await page.keyboard.press("Control+y");
  await keep("redone");
  const isSame = id === (await editor.identity(page));
  return { texts, isSame };
}

/** Saves the workflow under a name by its keys, and opens the page anew. */
async function savedAndReloaded(page, name) {
  const field = page.getByRole("dialog").getByRole("textbox");
  await done(
    "the dialog that asks for a name",
    async () => {
      if (await field.isVisible()) return;
      await page.evaluate(() => document.activeElement?.blur());
      await page.keyboard.press("Control+s");
    },
    () => field.isVisible(),
  );
  await done(
    "the workflow to be saved",
    async () => {
      await field.fill(name, { timeout: TRY_MS });
      await field.press("Enter", { timeout: TRY_MS });
    },
    () => page.evaluate(() => Boolean(window.app.extensionManager.workflow.activeWorkflow?.isPersisted)),
  );
  await reopened(page);
  await editor.closeUp(page);
  return editor.told(page);
}

/** A node more, undone by the page's own Ctrl+Z, which makes every node anew; then a box drawn on what the page shows. */
async function undoneByPage(page, pictures) {
  const id = await editor.identity(page);
  await page.evaluate(() => {
    const { graph } = window.app;
    const more = window.LiteGraph.createNode("MaskPreview");
    more.pos = [1000, 1900];
    graph.add(more);
    const tracker = window.app.extensionManager.workflow.activeWorkflow.changeTracker;
    (tracker.captureCanvasState ?? tracker.checkState).call(tracker);
    document.activeElement?.blur();
  });
  const isAnew = async () => id !== (await editor.identity(page));
  await done("the page to undo", () => page.keyboard.press("Control+z"), isAnew);
  await editor.closeUp(page);
  const before = (await editor.told(page)).text;
  const { at, drag } = await editor.hands(page);
  await editor.stage(page).focus();
  await page.keyboard.press("b");
  await drag(at(0.1, 0.7), at(0.3, 0.9));
  await page.screenshot({ path: path.join(pictures, "undone by the page.png") });
  const { text } = await editor.told(page);
  await page.keyboard.press("Control+z");
  return { before, text, after: (await editor.told(page)).text };
}

/** The node copied and pasted, and in a subgraph: what the editor of each then shows. */
async function copied(page, pictures) {
  const pasted = await page.evaluate(async (type) => {
    const { canvas } = window.app;
    canvas.select(canvas.graph.nodes.find((one) => one.type === type));
    canvas.copyToClipboard();
    canvas.pasteFromClipboard();
    const copy = canvas.graph.nodes.filter((one) => one.type === type).at(-1);
    const text = copy.reelpatchTrack.told().text;
    canvas.graph.remove(copy);
    return text;
  }, editor.TYPE);
  await page.evaluate((type) => {
    const { canvas } = window.app;
    const track = canvas.graph.nodes.find((one) => one.type === type);
    const { node } = canvas.graph.convertToSubgraph(new Set([track]));
    canvas.openSubgraph(node.subgraph, node);
  }, editor.TYPE);
  await editor.closeUp(page);
  await page.screenshot({ path: path.join(pictures, "in a subgraph.png") });
  return { pasted, inside: await editor.told(page) };
}

module.exports = { visited };
