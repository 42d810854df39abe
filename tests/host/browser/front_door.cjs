// What a person meets first: the demo by its button, and an app in a page whose language is Chinese.

const path = require("path");
const { openedAsTemplate } = require("./looks.cjs");
const { reopened } = require("./open.cjs");
const { still } = require("./rest.cjs");
const { pressRun, ranAnew } = require("./runs.cjs");
const { STEP_MS, sections } = require("./steps.cjs");

const CHINESE = /[\u4e00-\u9fff]/;

/** The sections of this part of a visit: `app` is what is opened in Chinese. */
async function visited({ page, url, pictures }, { app }) {
  const section = sections(page, pictures, () => reopened(page));
  const found = {};
  try {
    found.buttons = await section("buttons", () => buttons(page));
    found.demo = await section("demo by its button", () => byButton(page, pictures));
    found.chinese = await section("app in Chinese", () => appInChinese(page, app, pictures));
  } finally {
    // The server keeps it, for other visits too; the page may be unable to say it.
    await page.request.post(`${url}/settings`, { data: { "Comfy.Locale": "en" }, timeout: STEP_MS });
  }
  return found;
}

/** The words of what extensions have put beside Run; an app that is open shows none of it. */
async function buttons(page) {
  const bar = page.getByTestId("action-bar-buttons").first();
  await bar.waitFor({ state: "attached" });
  return bar.locator("button").allTextContents();
}

/** From an empty graph to the first result by the mouse alone: what was clicked, and how the run ended. */
async function byButton(page, pictures) {
  const clicks = [];
  // Front ends name it by its tooltip, or by its words.
  const named = { name: /Reelpatch demo|without a download/ };
  await page.getByTestId("action-bar-buttons").getByRole("button", named).click();
  clicks.push("Reelpatch demo");
  await page.waitForFunction(() => window.app.graph.nodes.some((node) => node.type === "ReelpatchCompare"));
  await still(page);
  await page.screenshot({ path: path.join(pictures, "demo by its button.png") });
  const ended = await ranAnew(page, () => pressRun(page));
  clicks.push("Run");
  const commands = await page.evaluate(() =>
    window.app.extensionManager.command.commands.map((one) => one.id).filter((id) => id.startsWith("Reelpatch")),
  );
  return { clicks, ended, commands };
}

/** What an app asks for in Chinese: the names, and the lines under them. The front end may open once more what was open before. */
async function appInChinese(page, app, pictures) {
  await page.evaluate(() => window.app.extensionManager.setting.set("Comfy.Locale", "zh"));
  const items = page.getByTestId("app-mode-widget-item");
  const read = async () => ({
    labels: await items.getByTestId("builder-widget-label").allInnerTexts(),
    lines: await items.getByTestId("app-mode-widget-description").allInnerTexts(),
  });
  let told = { labels: [], lines: [] };
  for (let tries = 0; tries < 8 && !(told.lines.length && told.lines.every((line) => CHINESE.test(line))); tries += 1) {
    await openedAsTemplate(page, app);
    await items.first().waitFor();
    await still(page);
    told = await read();
  }
  await page.screenshot({ path: path.join(pictures, "app in chinese.png") });
  return told;
}

module.exports = { buttons, visited };
