// What a person meets first: the demo by its button, and an app in a page whose language is Chinese.
// node front_door.cjs JOB.json, where JOB is {url, chromium, profile, modern, app, pictures, result}.

const fs = require("fs");
const path = require("path");
const { openedAsTemplate } = require("./looks.cjs");
const { browser, opened } = require("./open.cjs");
const { still } = require("./rest.cjs");

const CHINESE = /[\u4e00-\u9fff]/;
const job = JSON.parse(fs.readFileSync(process.argv[2], "utf-8"));

async function main() {
  const context = await browser(job);
  try {
    const page = await opened(context, job);
    const withButton = await buttons(page);
    const demo = await byButton(page);
    await set(page, "Comfy.Locale", "zh");
    const chinese = await appInChinese(page);
    await set(page, "Reelpatch.DemoButton", false);
    await page.goto(job.url);
    await page.waitForFunction(() => window.LiteGraph?.registered_node_types?.["ReelpatchApplyEdit"]);
    const withoutButton = await buttons(page);
    await set(page, "Reelpatch.DemoButton", true); // the server keeps them, for other visits too
    await set(page, "Comfy.Locale", "en");
    fs.writeFileSync(job.result, JSON.stringify({ demo, chinese, withButton, withoutButton }));
  } finally {
    await context.close();
  }
}

/** The words of what extensions have put beside Run; the page may have opened an app, which shows none of it. */
async function buttons(page) {
  const bar = page.getByTestId("action-bar-buttons").first();
  await bar.waitFor({ state: "attached" });
  return bar.locator("button").allTextContents();
}

function set(page, name, value) {
  return page.evaluate(([id, to]) => window.app.extensionManager.setting.set(id, to), [name, value]);
}

/** From the page as it stands to the first result by the mouse alone: what was clicked, and how the run ended. */
async function byButton(page) {
  const clicks = [];
  // Front ends name it by its tooltip, or by its words.
  const named = { name: /Reelpatch demo|without a download/ };
  await page.getByTestId("action-bar-buttons").getByRole("button", named).click();
  clicks.push("Reelpatch demo");
  await page.waitForFunction(() => window.app.graph.nodes.some((node) => node.type === "ReelpatchCompare"));
  await still(page);
  await page.screenshot({ path: path.join(job.pictures, "demo by its button.png") });
  await page.evaluate(() => {
    window.ended = null;
    for (const kind of ["execution_success", "execution_error", "execution_interrupted"])
      window.app.api.addEventListener(kind, (event) => (window.ended ??= { kind, detail: event.detail }));
  });
  await page.getByTestId("queue-button").first().click();
  clicks.push("Run");
  await page.waitForFunction(() => window.ended);
  return page.evaluate((clicked) => {
    const every = window.app.extensionManager.command.commands.map((one) => one.id);
    return { clicks: clicked, ended: window.ended, commands: every.filter((id) => id.startsWith("Reelpatch")) };
  }, clicks);
}

/** What an app asks for: the names, and the lines under them. The front end may open once more what was open before. */
async function appInChinese(page) {
  const items = page.getByTestId("app-mode-widget-item");
  const read = async () => ({
    labels: await items.getByTestId("builder-widget-label").allInnerTexts(),
    lines: await items.getByTestId("app-mode-widget-description").allInnerTexts(),
  });
  let told = { labels: [], lines: [] };
  for (let tries = 0; tries < 8 && !(told.lines.length && told.lines.every((line) => CHINESE.test(line))); tries += 1) {
    await openedAsTemplate(page, job.app);
    await items.first().waitFor();
    await still(page);
    told = await read();
  }
  await page.screenshot({ path: path.join(job.pictures, "app in chinese.png") });
  return told;
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
