// The rest of what the editor of Mask track can do: every tool, keys alone, text, playing, frames from a run, App mode.

const path = require("path");
const editor = require("./track_editor.cjs");
const { closely, ofAll, points } = require("./track_points.cjs");

/** A graph of the demo's clip and a mask track; `between` names nodes that its frames pass. */
async function graphed(page, between = []) {
  await page.evaluate(async (types) => {
    const { graph } = window.app;
    graph.clear();
    const make = (type, pos) => {
      const node = window.LiteGraph.createNode(type);
      node.pos = pos;
      graph.add(node);
      return node;
    };
    let last = make("LoadVideo", [0, 0]);
    last.widgets.find((one) => one.name === "file").value = "reelpatch_demo_clip.mp4";
    for (const [index, type] of types.entries()) {
      const next = make(type, [0, 500 + 200 * index]);
      last.connect(0, next, 0);
      last = next;
    }
    const track = make("ReelpatchMaskTrack", [420, 0]);
    last.connect(0, track, "clip");
    const seen = make("MaskPreview", [1100, 0]);
    track.connect(0, seen, 0);
  }, between);
}

/** Every change, by keys alone: the text after each. */
async function byKeys(page) {
  const texts = {};
  const keys = async (name, ...pressed) => {
    for (const key of pressed) await page.keyboard.press(key);
    texts[name] = (await editor.masked(page)).text;
  };
  await editor.stage(page).focus();
  await keys("ellipse", "n", "Delete", "e", "Enter");
  await keys("moved", "ArrowRight", "Shift+ArrowDown", "+");
  await keys("turned", "]", "]");
  await keys("spanned", ".", ".", "i", ".", ".", ".", "o");
  await page.locator('.reelpatch-track [data-id="start-0"]').focus();
  await keys("later", "ArrowRight");
  await page.locator('.reelpatch-track [data-id="key-0-0"]').focus();
  await keys("keyLater", "ArrowRight", "ArrowRight");
  await keys("keyGone", "Delete");
  await editor.stage(page).focus();
  await keys("subtracts", "m");
  await keys("pasted", "Control+c", "Control+v");
  await keys("removed", "Delete");
  await keys("undone", "Control+z", "Control+z");
  return texts;
}

/** Every tool, by the mouse. */
async function byMouse(page, pictures) {
  const { at, drag } = await editor.hands(page);
  const button = (name) => page.getByRole("button", { name }).click();
  await editor.stage(page).focus();
  for (const key of ["n", "Delete", "n", "Delete"]) await page.keyboard.press(key);
  await button("Draw a polygon (P)");
  for (const corner of [at(0.1, 0.1), at(0.4, 0.1), at(0.4, 0.4), at(0.2, 0.5)]) await page.mouse.click(...corner);
  await page.keyboard.press("Enter");
  await button("Draw a stroke (S)");
  await drag(at(0.1, 0.8), at(0.9, 0.7));
  await button("Add the whole frame (W)");
  await page.locator(".inspector").getByLabel("Ramp in").selectOption("wipe");
  await page.locator(".inspector").getByLabel("Direction °").fill("90");
  await page.keyboard.press("Tab");
  await button("Draw an ellipse (E)");
  await drag(at(0.5, 0.5), at(0.8, 0.7));
  const handle = async (name) => {
    const box = await page.locator(`.reelpatch-track .handle.${name}`).boundingBox();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  await drag(await handle("se"), at(0.9, 0.9));
  const { text } = await editor.told(page);
  await drag(await handle("turn"), at(0.99, 0.7));
  await page.screenshot({ path: path.join(pictures, "every tool.png") });
  return { text, turned: (await editor.told(page)).text };
}

/** The text by hand: wrong, then right, then as it was. */
async function byText(page) {
  const before = (await editor.told(page)).text;
  const write = async (text) => {
    const area = page.getByRole("textbox", { name: "JSON text of the track" });
    await area.fill(text);
    await page.keyboard.press("Tab");
  };
  await page.getByRole("button", { name: "JSON text of the track" }).click();
  await write('{"mask_track": 1, "units": "fractions", "times": "frames", "regions": [{"shape": {"kind": "star"}}]}');
  const wrong = await editor.until(page, "to refuse the text", (state) => state.said.masks !== "");
  const message = await page.locator(".reelpatch-track .message").innerText();
  await write('{"mask_track": 1, "units": "pixels", "times": "frames", "regions": [{"shape": {"kind": "whole"}}]}');
  const isRight = (state) => state.isMaskShown && state.said.masks === "";
  const right = await editor.until(page, "to take the text", isRight);
  await page.getByRole("button", { name: "JSON text of the track" }).click();
  await editor.stage(page).focus();
  for (let step = 0; step < 2; step += 1) await page.keyboard.press("Control+z");
  return { before, message, right, after: (await editor.told(page)).text, wrong: wrong.text };
}

/** Played, stopped, and stepped by a key. */
async function played(page) {
  await editor.stage(page).focus();
  await page.keyboard.press("Home");
  await page.keyboard.press(" ");
  await editor.until(page, "to play", (state) => state.isPlaying && state.frame > 2);
  await page.keyboard.press(" ");
  const stopped = await editor.until(page, "to stop", (state) => !state.isPlaying);
  await page.keyboard.press(",");
  return { stopped: stopped.frame, stepped: (await editor.told(page)).frame };
}

/** What a screen reader is told: controls without a name, and sliders without a value in words. */
function unnamed(page) {
  return page.evaluate(() => {
    const every = [
      ...document.querySelectorAll(".reelpatch-track button, .reelpatch-track [role=slider], .reelpatch-track .stage"),
    ];
    const nameless = every.filter((one) => !(one.ariaLabel || one.textContent || one.closest("label")));
    const valueless = every.filter((one) => one.role === "slider" && !one.getAttribute("aria-valuetext"));
    return { count: every.length, nameless: nameless.length, valueless: valueless.length };
  });
}

/** The words of both languages: the same names in both, and those that are the same in Chinese. */
function words(page) {
  return page.evaluate(async () => {
    const { wordsOf } = await import("/extensions/reelpatch/timeline/words.js");
    const flat = (branch, before = "") =>
      Object.entries(branch).flatMap(([name, value]) =>
        typeof value === "object" ? flat(value, `${before}${name}.`) : [[`${before}${name}`, String(value)]],
      );
    const [english, chinese] = ["en", "zh"].map((language) => flat(wordsOf(language)));
    const same = english.filter(([, text], place) => text === chinese[place]?.[1]).map(([name]) => name);
    return { english: english.map(([name]) => name), chinese: chinese.map(([name]) => name), same };
  });
}

/** Frames that no file is known of, before and after a run. */
async function fromRun(page) {
  await graphed(page, ["GetVideoComponents", "ImageInvert"]);
  const before = await editor.until(page, "to say that it has no film", (state) => state.said.film !== "");
  await page.evaluate(async () => {
    window.app.graph.nodes
      .find((one) => one.type === "ReelpatchMaskTrack")
      .widgets.find((one) => one.name === "fps").value = 8;
    await window.app.queuePrompt(0, 1);
  });
  const after = await editor.filmed(page);
  return { before, after };
}

/** Masks that are connected: said to be missing before a run, drawn as they were after it. */
async function connected(page) {
  await graphed(page);
  await page.evaluate(() => {
    const { graph } = window.app;
    const given = window.LiteGraph.createNode("SolidMask");
    given.pos = [0, 600];
    graph.add(given);
    for (const [name, value] of Object.entries({ value: 0.75, width: 64, height: 64 }))
      given.widgets.find((one) => one.name === name).value = value;
    given.connect(0, graph.nodes.find((one) => one.type === "ReelpatchMaskTrack"), "masks");
  });
  await editor.filmed(page);
  await editor.write(page, { regions: [{ shape: { kind: "masks" } }] });
  const before = await editor.until(page, "to speak of its masks", (state) => state.said.masks !== "");
  await page.evaluate(() => window.app.queuePrompt(0, 1));
  const isOther = (state) => state.said.masks !== before.said.masks && state.isMaskShown;
  const after = await editor.until(page, "to have the run's masks", isOther);
  const [mask] = await editor.overlays(page, 1);
  return { before: before.said.masks, after: after.said.masks, values: [...new Set(mask.values)] };
}

/** The node's widget in an app: drawn on there. */
async function inApp(page, pictures) {
  await graphed(page);
  await page.evaluate(async () => {
    const form = window.app.graph.serialize();
    const [track, seen] = ["ReelpatchMaskTrack", "MaskPreview"].map(
      (type) => form.nodes.find((one) => one.type === type).id,
    );
    form.extra = { ...form.extra, linearMode: true, linearData: { inputs: [[track, "track"]], outputs: [seen] } };
    await window.app.loadGraphData(form, true, true, "an app", { openSource: "template" });
  });
  await page.getByTestId("app-mode-widget-item").first().waitFor();
  await editor.filmed(page);
  const box = await editor.placeOf(page);
  const { at, drag } = await editor.hands(page);
  await page.getByRole("button", { name: "Draw a box (B)" }).click();
  await drag(at(0.2, 0.2), at(0.6, 0.6));
  await page.screenshot({ path: path.join(pictures, "in an app.png") });
  const { output } = await page.evaluate(() => window.app.graphToPrompt());
  const queued = Object.values(output).find((one) => one.class_type === editor.TYPE).inputs.track;
  return { box, text: (await editor.told(page)).text, queued };
}

/** A graph of its own, with the editor large in view. */
async function begun(page) {
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.NewBlankWorkflow"));
  await graphed(page);
  await editor.closeUp(page);
}

/** Each tool in a section of its own: `section` as in steps.cjs, which calls `begun` after one that failed. */
async function tools(page, pictures, section) {
  const found = {};
  const works = {
    keys: () => byKeys(page),
    mouse: () => byMouse(page, pictures),
    text: () => byText(page),
    played: () => played(page),
    unnamed: () => unnamed(page),
    words: () => words(page),
    points: () => points(page, pictures),
    closely: () => closely(page, pictures),
    ofAll: () => ofAll(page),
    fromRun: () => fromRun(page),
    connected: () => connected(page),
    app: () => inApp(page, pictures),
  };
  for (const [name, work] of Object.entries(works)) found[name] = await section(`tools, ${name}`, work);
  return found;
}

module.exports = { begun, tools };
