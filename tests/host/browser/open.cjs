// Chromium with ComfyUI's front end in it, ready to be used; and what the page complains of.

const { chromium } = require("playwright-core");

const PATIENCE_MS = 600_000; // long, for machines that are busy with other things
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser with a profile of its own: `job` is {chromium, profile}. */
function browser(job, viewport) {
  const how = { executablePath: job.chromium, headless: true, viewport, timeout: PATIENCE_MS, args: ARGUMENTS };
  return chromium.launchPersistentContext(job.profile, how);
}

/** The front end, in the asked-for way of drawing nodes, without its greeting: `job` is {url, modern}. */
async function opened(context, job) {
  const settings = {
    "Comfy.TutorialCompleted": true,
    "Comfy.VueNodes.Enabled": job.modern,
    "LiteGraph.Canvas.MinFontSizeForLOD": 0, // words in the pictures, however small
  };
  await context.request.post(`${job.url}/settings`, { data: settings, timeout: PATIENCE_MS });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(job.url, { timeout: PATIENCE_MS });
  await ready(page);
  return page;
}

/** Waits for the pack's nodes and for a graph. */
async function ready(page) {
  await page.waitForFunction(() => window.LiteGraph?.registered_node_types?.["ReelpatchApplyEdit"]);
  await page.waitForFunction(() => window.app?.extensionManager?.setting && window.app.graph);
}

/** What the page complains of from now on; `take` hands it over and starts anew. */
function watched(page) {
  let complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push({ text: message.text(), url: message.location().url });
  });
  page.on("pageerror", (error) => complaints.push({ text: String(error.stack ?? error), url: "" }));
  return {
    take: () => {
      const taken = complaints;
      complaints = [];
      return taken;
    },
  };
}

module.exports = { PATIENCE_MS, browser, opened, ready, watched };
