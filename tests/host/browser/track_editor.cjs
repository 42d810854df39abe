// Hands and eyes for the editor of the node Mask track.

const steps = require("./steps.cjs");

const TYPE = "ReelpatchMaskTrack";

/** What the editor of the graph that is open says of itself. */
function told(page) {
  return page.evaluate((type) => {
    const node = window.app.canvas.graph.nodes.find((one) => one.type === type);
    return node.reelpatchTrack.told();
  }, TYPE);
}

/** The state of the editor once it is so; `what` says what is waited for. */
async function until(page, what, isSo) {
  let state = null;
  const look = async () => isSo((state = await told(page)));
  await steps.until(`the editor ${what}`, look).catch((error) => {
    throw new Error(`${error.message}; it stays at ${JSON.stringify(state)}`);
  });
  return state;
}

/** The editor's state once its mask is that of its text. */
function masked(page) {
  return until(page, "to show its mask", (state) => state.isMaskShown);
}

/** The editor's state once it has the demo's film too. */
function filmed(page) {
  return until(page, "to show its film and its mask", (state) => state.clip.frames === 9 && state.isMaskShown);
}

/** Brings the node into view, large, and waits for its film and its mask. */
async function closeUp(page) {
  await page.waitForFunction((type) => window.app.canvas.graph.nodes.some((one) => one.type === type), TYPE);
  await page.evaluate((type) => {
    const { canvas } = window.app;
    const node = canvas.graph.nodes.find((one) => one.type === type);
    const [left, top, width, height] = node.boundingRect;
    canvas.ds.fitToBounds([left - 40, top - 20, width + 300, height + 40], { zoom: 0.98 });
    canvas.setDirty(true, true);
  }, TYPE);
  await filmed(page);
  await placeOf(page);
}

/** Where the picture lies on the page, once it stays there. */
function placeOf(page) {
  return steps.unchanged("the editor's place", () => stage(page).boundingBox());
}

function stage(page) {
  return page.locator(".reelpatch-track .stage").first();
}

/** `at` is a place of the square picture on the page; `drag` moves the mouse from one to another. */
async function hands(page) {
  const box = await placeOf(page);
  const side = Math.min(box.width, box.height);
  const [left, top] = [box.x + (box.width - side) / 2, box.y + (box.height - side) / 2];
  return { at: (x, y) => [left + x * side, top + y * side], drag: (from, to) => drag(page, from, to) };
}

async function drag(page, from, to) {
  await page.mouse.move(...from);
  await page.mouse.down();
  await page.mouse.move((from[0] + to[0]) / 2, (from[1] + to[1]) / 2, { steps: 4 });
  await page.mouse.move(...to, { steps: 4 });
  await page.mouse.up();
  await masked(page);
}

/** Drags a handle of the timeline to where a frame begins. */
async function dragOnTimeline(page, id, frame) {
  const handle = await page.locator(`.reelpatch-track [data-id="${id}"]`).boundingBox();
  const inner = await page.locator(".reelpatch-track .inner").boundingBox();
  const { frames } = (await told(page)).clip;
  const middle = handle.y + handle.height / 2;
  await drag(page, [handle.x + handle.width / 2, middle], [inner.x + (inner.width * frame) / frames, middle]);
}

/** Gives the node the text of another track, in fractions and seconds. */
async function write(page, track) {
  await page.evaluate(
    ([type, text]) => {
      window.app.canvas.graph.nodes.find((one) => one.type === type).reelpatchTrack.text = text;
    },
    [TYPE, JSON.stringify({ mask_track: 1, units: "fractions", times: "seconds", ...track })],
  );
  await masked(page);
}

/** The mask that lies over each frame, as the page has it: rows of values from 0 to 255. */
async function overlays(page, frames) {
  await stage(page).focus();
  await page.keyboard.press("Home");
  const found = [];
  for (let frame = 0; frame < frames; frame += 1) {
    await until(page, `at frame ${frame}`, (state) => state.frame === frame && state.isMaskShown);
    const pixels = await page.evaluate(() => {
      const canvas = document.querySelector(".reelpatch-track .mask");
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      return { width, height, values: Array.from({ length: width * height }, (_, place) => data[4 * place + 3]) };
    });
    found.push(pixels);
    await page.keyboard.press(".");
  }
  return found;
}

/** A number that stays with the node, and is another one for a node that was made anew. */
function identity(page) {
  return page.evaluate((type) => {
    const node = window.app.canvas.graph.nodes.find((one) => one.type === type);
    return (node.reelpatchNumber ??= Math.random());
  }, TYPE);
}

module.exports = {
  TYPE,
  closeUp,
  dragOnTimeline,
  filmed,
  hands,
  identity,
  masked,
  overlays,
  placeOf,
  stage,
  told,
  until,
  write,
};
