// One visit of ComfyUI's real front end, which is opened once: the parts of it that are asked for, one after the other.
// node drive.cjs JOB.json, where JOB is {url, chromium, profile, modern, settings, pictures, result, parts}, and parts has what each is given.

const fs = require("fs");
const path = require("path");
const frontDoor = require("./front_door.cjs");
const graphs = require("./graphs.cjs");
const maskTrack = require("./mask_track.cjs");
const { browser, opened, watched } = require("./open.cjs");
const pages = require("./pages.cjs");

// In this order: a mask track opens the page anew, which then has little to open; the front door changes its language.
const PARTS = { maskTrack, graphs, pages, frontDoor };
const job = JSON.parse(fs.readFileSync(process.argv[2], "utf-8"));

async function main() {
  const context = await browser(job);
  try {
    const page = await opened(context, job);
    const seen = watched(page);
    const found = {};
    for (const [name, { visited }] of Object.entries(PARTS)) {
      if (!(name in job.parts)) continue;
      const pictures = path.join(job.pictures, name);
      fs.mkdirSync(pictures);
      const visit = { page, seen, pictures, url: job.url, modern: job.modern };
      found[name] = await part(visit, () => visited(visit, job.parts[name]));
    }
    fs.writeFileSync(job.result, JSON.stringify(found));
  } finally {
    await context.close();
  }
}

/** What a part finds in an empty graph, or {failed} with what went wrong where that was outside of its sections. */
async function part({ page, seen }, work) {
  try {
    await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.NewBlankWorkflow"));
    seen.take();
    return await work();
  } catch (error) {
    return { failed: error.stack };
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
