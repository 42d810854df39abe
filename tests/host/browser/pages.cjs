// What does not depend on the way in which nodes are drawn: blueprints and what they are queued as, widgets that a recipe
// replaces, the Templates dialog, apps, and words in Chinese.
// node pages.cjs JOB.json, where JOB is {url, chromium, profile, modern, run, apps, pictures, result}.

const fs = require("fs");
const blueprints = require("./blueprints.cjs");
const { clicked } = require("./clicks.cjs");
const { inChinese } = require("./language.cjs");
const { appRun, asked, grayed } = require("./looks.cjs");
const { browser, opened, reopened } = require("./open.cjs");
const { sections } = require("./steps.cjs");

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf-8"));

async function main() {
  const context = await browser(job);
  try {
    const page = await opened(context, job);
    const section = sections(page, job.pictures, () => reopened(page));
    const found = { apps: {} };
    found.queued = await section("queued blueprints", () => blueprints.opened(page));
    found.gray = await section("gray widgets", () => grayed(page));
    found.dialog = await section("Templates dialog", () => clicked(page, job.run, job.pictures));
    for (const name of job.apps) found.apps[name] = await section(`app ${name}`, () => asked(page, name, job.pictures));
    found.appRun = await section("app's run", () => appRun(page, job.apps[0], job.pictures));
    found.chinese = await section("Chinese", () => inChinese(page, job.run, job.pictures));
    fs.writeFileSync(job.result, JSON.stringify(found));
  } finally {
    await context.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
