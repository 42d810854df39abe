// Uses the player of the node Compare as a person does: keys, mouse, finger, buttons; tells what it showed.

const path = require("path");

const NODE = "ReelpatchCompare";

/** What the player says of itself, and where the graph and its node are. */
function stateOf(page) {
  return page.evaluate((type) => {
    const node = window.app.graph.nodes.find((one) => one.type === type);
    const { offset, scale } = window.app.canvas.ds;
    return { ...node.reelpatchCompare.state(), place: [...node.pos, ...offset, scale] };
  }, NODE);
}

/** The pixels of the picture, rows of RGBA, with its size. */
function pixels(page) {
  return page.evaluate(() => {
    const canvas = document.querySelector(".reelpatch-compare canvas");
    const { width, height } = canvas;
    const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    return { width, height, data: Array.from(data) };
  });
}

async function until(page, isSo) {
  for (let waited = 0; waited < 600; waited += 1) {
    const state = await stateOf(page);
    if (isSo(state)) return state;
    await page.waitForTimeout(100);
  }
  throw new Error(`the player stays at ${JSON.stringify(await stateOf(page))}`);
}

/** Brings the node into view, large. */
async function closeUp(page) {
  await page.evaluate((type) => {
    const node = window.app.graph.nodes.find((one) => one.type === type);
    window.app.canvas.ds.fitToBounds(node.boundingRect, { zoom: 0.6 });
    window.app.canvas.setDirty(true, true);
  }, NODE);
  await page.waitForTimeout(1500);
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
  states.loaded = await until(page, (state) => state.isReady && state.isPlaying);
  await closeUp(page);
  const canvas = page.locator(".reelpatch-compare canvas");
  const box = await canvas.boundingBox();
  const shown = Math.min(box.width, box.height); // the demo's clip is square
  const at = (share) => [box.x + (box.width - shown) / 2 + share * shown, box.y + box.height / 2];

  await canvas.focus();
  await page.keyboard.press(" ");
  states.paused = await until(page, (state) => !state.isPlaying);
  const steps = states.paused.frame ? [",", "."] : [".", ","];
  states.steps = [];
  for (const key of steps) {
    await page.keyboard.press(key);
    await page.waitForTimeout(500);
    states.steps.push((await stateOf(page)).frame);
  }
  await page.keyboard.press("ArrowRight");
  states.arrow = await stateOf(page);

  await page.mouse.move(...at(0.5));
  await page.mouse.down();
  await page.mouse.move(...at(0.3), { steps: 4 });
  await page.mouse.move(...at(0.25));
  await page.mouse.up();
  states.dragged = await stateOf(page);
  await page.screenshot({ path: path.join(pictures, "compare wipe.png") });
  await swiped(page, at(0.5), at(0.75));
  states.swiped = await stateOf(page);

  const seen = { wipe: await pixels(page) };
  await page.getByRole("button", { name: "Side by side" }).click();
  await page.waitForTimeout(500);
  seen.side = await pixels(page);
  states.side = await stateOf(page);
  await page.screenshot({ path: path.join(pictures, "compare side.png") });
  await canvas.focus();
  await page.keyboard.press("3");
  await page.waitForTimeout(500);
  seen.difference = await pixels(page);
  states.difference = await stateOf(page);
  await page.screenshot({ path: path.join(pictures, "compare difference.png") });
  await page.keyboard.press("1");
  await page.keyboard.press("m");
  states.last = await stateOf(page);
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
    window.ended = null;
    await window.app.queuePrompt(0, 1);
  });
  await page.waitForFunction(() => window.ended);
  await page.waitForFunction(() => [...document.querySelectorAll(".reelpatch-text")].every((one) => one.textContent));
  await page.waitForTimeout(2000);
  await page.screenshot({ path: path.join(pictures, "figures.png") });
  return page.evaluate(() => ({
    ended: window.ended.kind,
    texts: [...document.querySelectorAll(".reelpatch-text")].map((one) => one.innerText),
  }));
}

module.exports = { compared, figures };
