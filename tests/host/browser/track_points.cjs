// Points of a region one by one, the picture looked at closely, what is done to all regions, and masks from a link.

const path = require("path");
const editor = require("./track_editor.cjs");

/** The only region's points, and the state, after mouse and keys changed a polygon that keyframes move. */
async function points(page, pictures) {
  const { at, drag } = await editor.hands(page);
  const stage = editor.stage(page);
  const shown = () => editor.masked(page);
  await editor.write(page, {
    regions: [
      {
        shape: { kind: "polygon", points: [[0.2, 0.2], [0.4, 0.2], [0.4, 0.4], [0.2, 0.4]] },
        keyframes: [
          { at: 0, position: [0.3, 0.3], size: [0.2, 0.2], rotation: 0 },
          { at: 1, position: [0.7, 0.6], size: [0.4, 0.2], rotation: 90 },
        ],
      },
    ],
  });
  await stage.focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("n");
  await page.keyboard.press("c");
  const found = { before: await outlines(page) };
  await drag(at(0.4, 0.4), at(0.5, 0.55));
  found.dragged = await outlines(page);
  await page.screenshot({ path: path.join(pictures, "points.png") });
  await page.keyboard.press("ArrowRight");
  found.nudged = await outlines(page);
  await page.keyboard.press("Enter");
  found.added = await outlines(page);
  await page.keyboard.press("Delete");
  await shown();
  found.removed = await outlines(page);
  await page.mouse.dblclick(...at(0.2, 0.2));
  found.twice = await outlines(page);
  await page.keyboard.press("n");
  await page.keyboard.press("Delete");
  found.fewest = await outlines(page);
  await page.keyboard.press("Escape");
  found.after = await editor.told(page);
  return found;
}

/** The outline at the first and the last frame, as it is drawn on the page in pixels of the source, and the text. */
async function outlines(page) {
  const { frames } = (await editor.told(page)).clip;
  const found = {};
  for (const [name, key, frame] of [["first", "Home", 0], ["last", "End", frames - 1]]) {
    await page.keyboard.press(key);
    await editor.until(page, `at frame ${frame}`, (state) => state.frame === frame);
    found[name] = await page.evaluate(() =>
      document
        .querySelector(".reelpatch-track .shape")
        .getAttribute("points")
        .split(" ")
        .map((pair) => pair.split(",").map(Number)),
    );
  }
  await page.keyboard.press("Home");
  const { text } = await editor.until(page, "at its first frame", (state) => state.frame === 0 && state.isMaskShown);
  return { ...found, text };
}

/** Twice and a quarter as close by keys, then the wheel; moved; drawn on; and the whole picture again. */
async function closely(page, pictures) {
  const { at, drag } = await editor.hands(page);
  await editor.write(page, { regions: [] });
  await editor.stage(page).focus();
  for (let press = 0; press < 2; press += 1) await page.keyboard.press("PageUp");
  const byKeys = (await editor.told(page)).zoom;
  await drag(at(0.5, 0.5), at(0.5 - 0.225, 0.5)); // an empty place: the picture itself, a tenth of it to the left
  await page.getByRole("button", { name: "Draw a box (B)" }).click();
  await drag(at(0.5, 0.5), at(0.725, 0.725)); // a tenth of the picture each way
  const { text } = await editor.told(page);
  await page.screenshot({ path: path.join(pictures, "closely.png") });
  await editor.stage(page).focus();
  await page.mouse.move(...at(0.5, 0.5));
  await page.mouse.wheel(0, -200);
  const byWheel = (await editor.until(page, "nearer by the wheel", (state) => state.zoom !== byKeys)).zoom;
  await page.keyboard.press("0");
  return { byKeys, byWheel, text, whole: (await editor.told(page)).zoom };
}

/** What is said of all regions together, in fields that are there while none is selected. */
async function ofAll(page) {
  await editor.write(page, { regions: [{ shape: { kind: "box", centre: [0.5, 0.5], size: [0.4, 0.4] } }] });
  await editor.stage(page).focus();
  await page.keyboard.press("Escape"); // lets go of the region
  const field = async (name, value) => {
    await page.locator(".inspector").getByLabel(name).fill(value);
    await page.keyboard.press("Tab");
  };
  await field("All: smooth over frames", "2");
  await field("All: grow", "-0.05");
  await field("All: feather", "0.1");
  const said = await editor.masked(page);
  await field("All: feather", "500");
  const tooFar = await editor.until(page, "to refuse the feather", (state) => state.said.masks !== "");
  await field("All: feather", "0");
  return { text: said.text, tooFar: tooFar.said.masks, without: (await editor.told(page)).text };
}

module.exports = { closely, ofAll, outlines, points };
