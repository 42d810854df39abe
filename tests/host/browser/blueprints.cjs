// Uses blueprints as a person does: finds one by its words, places it, connects a video, presses Run, unpacks it.

const path = require("path");
const { still } = require("./rest.cjs");
const { pressRun, ran } = require("./runs.cjs");
const { done } = require("./steps.cjs");

/** Every blueprint of this pack, opened by itself: what it is queued as, and what once it is taken apart. */
async function opened(page) {
  const listed = await page.evaluate(async () => (await fetch("/global_subgraphs")).json());
  const ours = Object.entries(listed).filter(([, one]) => one.info.node_pack === "custom_nodes.reelpatch");
  const queued = {};
  for (const [id, { name }] of ours) {
    const whole = await page.evaluate(async (key) => {
      const { data } = await (await fetch(`/global_subgraphs/${key}`)).json();
      await window.app.loadGraphData(JSON.parse(data), true, true);
      return (await window.app.graphToPrompt()).output;
    }, id);
    queued[name] = { whole, apart: (await unpacked(page)).prompt };
  }
  return queued;
}

/** Searches for a blueprint, places it in an empty graph, gives it a video, and runs it; then takes it apart. */
async function used(page, { words, video, widgets }, pictures) {
  await page.evaluate(() => window.app.graph.clear());
  await still(page);
  await searched(page, words, path.join(pictures, "blueprint found.png"));
  await page.evaluate(
    async ([file, values]) => {
      const [node] = window.app.graph.nodes;
      const load = window.LiteGraph.createNode("LoadVideo");
      window.app.graph.add(load);
      load.pos = [node.pos[0] - 400, node.pos[1]];
      load.widgets.find((one) => one.name === "file").value = file;
      load.connect(0, node, 0);
      for (const [name, value] of Object.entries(values))
        node.widgets.find((one) => one.name === name).value = value;
    },
    [video, widgets],
  );
  const told = await page.evaluate(() => {
    const node = window.app.graph.nodes.find((one) => one.isSubgraphNode?.());
    return { title: node.title, widgets: node.widgets.map((one) => one.name) };
  });
  const ended = await ran(page, () => pressRun(page));
  await page.screenshot({ path: path.join(pictures, "blueprint after the run.png") });
  const left = await unpacked(page);
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.Canvas.FitView"));
  await still(page);
  await page.screenshot({ path: path.join(pictures, "blueprint unpacked.png") });
  return { ...told, ended, unpacked: left };
}

/** Places the only node of an empty graph, in the middle of the page: a double click, its words, Enter, and a click. */
async function searched(page, words, picture) {
  const { width, height } = page.viewportSize();
  const [left, top] = [width / 2, height / 2];
  const field = page.getByRole("dialog").locator("input[role=combobox]");
  await done(
    "the search box, ready to be typed into",
    async () => {
      if (!(await field.isVisible())) await page.mouse.dblclick(left, top);
    },
    async () => (await field.isVisible()) && field.evaluate((one) => one === document.activeElement),
  );
  const first = page.getByRole("option").filter({ hasText: new RegExp(words, "i") }).first();
  await done(
    `"${words}" among what the search box finds`,
    async () => {
      await field.fill("");
      await page.keyboard.type(words);
    },
    async () => (await first.isVisible()) && (await first.getAttribute("aria-selected")) === "true",
  );
  await page.screenshot({ path: picture });
  const count = () => page.evaluate(() => window.app.graph.nodes.length);
  await done(
    "the blueprint's node",
    async () => {
      if (!(await count())) await field.press("Enter");
    },
    async () => (await count()) === 1,
  );
  await field.waitFor({ state: "hidden" }); // a click before that may be lost
  const isPlaced = () => page.evaluate(() => !window.app.graph.nodes[0].flags.ghost);
  await done(
    "the blueprint's node to be put down",
    async () => {
      if (await isPlaced()) return;
      await page.mouse.move(left + 5, top + 5); // it is put down where the mouse has brought it
      await page.mouse.click(left, top);
    },
    isPlaced,
  );
}

/** Takes the subgraph apart: the types of the nodes that it leaves, and what they are queued as. */
async function unpacked(page) {
  await done(
    "the subgraph to be taken apart",
    () =>
      page.evaluate(async () => {
        const whole = window.app.graph.nodes.find((one) => one.isSubgraphNode?.());
        if (!whole) return;
        window.app.canvas.select(whole);
        await window.app.extensionManager.command.execute("Comfy.Graph.UnpackSubgraph");
      }),
    () => page.evaluate(() => !window.app.graph.nodes.some((one) => one.isSubgraphNode?.())),
  );
  return page.evaluate(async () => ({
    types: window.app.graph.nodes.map((one) => one.type),
    prompt: (await window.app.graphToPrompt()).output,
  }));
}

module.exports = { opened, used };
