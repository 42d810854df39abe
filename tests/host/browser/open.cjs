// Chromium with ComfyUI's front end in it, ready to be used; and what the page complains of.

const { chromium } = require("playwright-core");
const { STEP_MS } = require("./steps.cjs");

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

// The processor paints it, so it is a small one.
const SCREEN = { width: 1440, height: 900 };

/** A browser with a profile of its own: `job` is {chromium, profile}. */
function browser(job) {
  const how = { executablePath: job.chromium, headless: true, viewport: SCREEN, timeout: STEP_MS, args: ARGUMENTS };
  return chromium.launchPersistentContext(job.profile, how);
}

/** The front end, in the asked-for way of drawing nodes and with settings of the job's, without its greeting: {url, modern, settings}. */
async function opened(context, job) {
  const settings = {
    "Comfy.TutorialCompleted": true,
    "Comfy.VueNodes.Enabled": job.modern,
    "LiteGraph.Canvas.MinFontSizeForLOD": 0, // words in the pictures, however small
    ...job.settings,
  };
  await context.request.post(`${job.url}/settings`, { data: settings, timeout: STEP_MS });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(STEP_MS);
  // The tour that the front end offers where an app is opened for the first time comes late, and once.
  const skip = page.getByRole("button", { name: "Skip", exact: true });
  await page.addLocatorHandler(skip, () => skip.click());
  await page.goto(job.url);
  await ready(page);
  return page;
}

/** Opens the page anew. */
async function reopened(page) {
  await page.reload();
  await ready(page);
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

module.exports = { browser, opened, reopened, watched };
