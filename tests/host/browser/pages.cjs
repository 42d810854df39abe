// What does not depend on the way in which nodes are drawn: blueprints and what they are queued as, widgets that a recipe
// replaces, the Templates dialog, apps, and words in Chinese.
// node pages.cjs JOB.json, where JOB is {url, chromium, profile, modern, run, apps, pictures, result}.

const fs = require("fs");
const blueprints = require("./blueprints.cjs");
const { clicked } = require("./clicks.cjs");
const { inChinese } = require("./language.cjs");
const { apps, grayed } = require("./looks.cjs");
const { browser, opened } = require("./open.cjs");

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf-8"));

async function main() {
  const context = await browser(job, { width: 1440, height: 900 });
  try {
    const page = await opened(context, job);
    const queued = await blueprints.opened(page);
    const gray = await grayed(page);
    const dialog = await clicked(page, job.run, job.pictures);
    const inApp = await apps(page, job.apps, job.pictures);
    const chinese = await inChinese(page, job.run, job.pictures);
    fs.writeFileSync(job.result, JSON.stringify({ queued, gray, dialog, apps: inApp, chinese }));
  } finally {
    await context.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
