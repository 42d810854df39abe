// Uses the player of the node Compare as a person does: keys, mouse, finger, buttons; tells what it showed.

const path = require("path");
const { still } = require("./rest.cjs");
const { ran } = require("./runs.cjs");
const { done, unchanged, until } = require("./steps.cjs");

const NODE = "ReelpatchCompare";

/** What the player says of itself, and where the graph and its node are. */
function stateOf(page) {
  return page.evaluate((type) => {
    const node = window.app.graph.nodes.find((one) => one.type === type);
    const { offset, scale } = window.app.canvas.ds;
    return { ...node.reelpatchCompare.state(), place: [...node.pos, ...offset, scale] };
  }, NODE);
}

/** The picture, as the address of a PNG: without loss, and much shorter than its numbers. */
function picture(page) {
  return page.evaluate(() => document.querySelector(".reelpatch-compare canvas").toDataURL("image/png"));
}

/** The state of the player once it is so; `what` says what is waited for. */
async function shown(page, what, isSo) {
  let state = null;
  const told = async () => isSo((state = await stateOf(page)));
  await until(`the player ${what}`, told).catch((error) => {
    throw new Error(`${error.message}; it stays at ${JSON.stringify(state)}`);
  });
  return state;
}

/** Presses a key on the player's picture until the player is as the key makes it, for keys that may be pressed once more. */
async function pressed(page, key, what, isSo) {
  let state = null;
  const act = async () => {
    if (isSo(await stateOf(page))) return;
    await page.locator(".reelpatch-compare canvas").focus();
    await page.keyboard.press(key);
  };
  await done(`the player ${what} by the key "${key}"`, act, async () => isSo((state = await stateOf(page))));
  return state;
}

/** Brings the node into view, large. */
async function closeUp(page) {
  await page.evaluate((type) => {
    const node = window.app.graph.nodes.find((one) => one.type === type);
    window.app.canvas.ds.fitToBounds(node.boundingRect, { zoom: 0.6 });
    window.app.canvas.setDirty(true, true);
  }, NODE);
  await still(page);
}

/** Moves a finger from one place to another, as a touch screen tells it. */
async function swiped(page, from, to) {
  const client = await page.context().newCDPSession(page);
  await client.send("Emulation.setTouchEmulationEnabled", { enabled: true });
  const point = ([x, y]) => [{ x, y }];
  await client.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: point(from) });
  await client.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: point(to) });
  await client.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await client.send("Emulation.setTouchEmulationEnabled", { enabled: false });
  await client.detach();
}

async function compared(page, pictures) {
  const states = {};
  states.loaded = await shown(page, "to play", (state) => state.isReady && state.isPlaying);
  await closeUp(page);
  const canvas = page.locator(".reelpatch-compare canvas");
  const box = await unchanged("the player's place", () => canvas.boundingBox());
  const side = Math.min(box.width, box.height); // the demo's clip is square
  const at = (share) => [box.x + (box.width - side) / 2 + share * side, box.y + box.height / 2];

  states.paused = await pressed(page, " ", "to stop", (state) => !state.isPlaying);
  const { frame } = states.paused;
  states.steps = [];
  for (const [key, to] of frame ? [[",", frame - 1], [".", frame]] : [[".", 1], [",", 0]])
    states.steps.push((await pressed(page, key, `at frame ${to}`, (state) => state.frame === to)).frame);
  for (let left = frame - 1; left >= 0; left -= 1)
    await pressed(page, ",", `at frame ${left}`, (state) => state.frame === left);
  states.first = await stateOf(page);
  const { share } = states.first;
  states.arrow = await pressed(page, "ArrowRight", "to move its line", (state) => state.share > share);

  await page.mouse.move(...at(0.5));
  await page.mouse.down();
  await page.mouse.move(...at(0.3), { steps: 4 });
  await page.mouse.move(...at(0.25));
  await page.mouse.up();
  states.dragged = await shown(page, "to follow the mouse", (state) => Math.abs(state.share - 0.25) <= 0.02);
  await page.screenshot({ path: path.join(pictures, "compare wipe.png") });
  await swiped(page, at(0.5), at(0.75));
  states.swiped = await shown(page, "to follow the finger", (state) => Math.abs(state.share - 0.75) <= 0.02);

  const drawn = () => unchanged("the player's picture", () => picture(page));
  const seen = { wipe: await drawn() };
  await page.getByRole("button", { name: "Side by side" }).click();
  states.side = await shown(page, "to show both sides", (state) => state.mode === "side");
  seen.side = await drawn();
  await page.screenshot({ path: path.join(pictures, "compare side.png") });
  states.difference = await pressed(page, "3", "to show the difference", (state) => state.mode === "difference");
  seen.difference = await drawn();
  await page.screenshot({ path: path.join(pictures, "compare difference.png") });
  await pressed(page, "1", "to wipe", (state) => state.mode === "wipe");
  states.last = await pressed(page, "m", "to sound", (state) => !state.isMuted);
  return { states, seen };
}

/** A graph of the node Plan, and of Measure on a clip and itself, run; the texts that stand on the nodes then. */
async function figures(page, pictures) {
  await page.evaluate(async () => {
    const { graph, canvas } = window.app;
    graph.clear();
    const make = (type, pos) => {
      const node = window.LiteGraph.createNode(type);
      node.pos = pos;
      graph.add(node);
      return node;
    };
    make("ReelpatchPlan", [0, 0]);
    const clip = make("LoadVideo", [520, 0]);
    clip.widgets.find((widget) => widget.name === "file").value = "reelpatch_demo_clip.mp4";
    const measure = make("ReelpatchMeasure", [920, 0]);
    clip.connect(0, measure, "before");
    clip.connect(0, measure, "after");
    canvas.ds.fitToBounds([-50, -80, 1600, 900], { zoom: 0.95 });
  });
  const { kind } = await ran(page, () => page.evaluate(() => window.app.queuePrompt(0, 1)));
  const texts = () =>
    page.evaluate(() => [...document.querySelectorAll(".reelpatch-text")].map((one) => one.innerText));
  await until("words on both nodes", async () => (await texts()).filter((one) => one.trim()).length === 2);
  await page.screenshot({ path: path.join(pictures, "figures.png") });
  return { ended: kind, texts: await unchanged("the words", texts) };
}

module.exports = { compared, figures };
