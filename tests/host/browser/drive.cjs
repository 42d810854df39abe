// Drives ComfyUI's real front end: loads templates, reads what they are queued as, and presses Run.
// node drive.cjs JOB.json, where JOB is {url, chromium, profile, modern, templates, run, blueprint, apps, pictures, result}.

const fs = require("fs");
const path = require("path");
const blueprints = require("./blueprints.cjs");
const { clicked } = require("./clicks.cjs");
const { compared, figures } = require("./compare.cjs");
const { apps, grayed, look, onSmallScreen, openedAsTemplate } = require("./looks.cjs");
const { inChinese } = require("./language.cjs");
const { browser, opened, watched } = require("./open.cjs");
const { placed, still } = require("./rest.cjs");

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf-8"));

async function main() {
  const context = await browser(job, { width: 2400, height: 1200 });
  try {
    const page = await opened(context, job);
    const seen = watched(page);
    const templates = await onSmallScreen(page, async () => {
      const found = {};
      for (const name of job.templates) found[name] = await template(page, name, seen, `${name}.png`);
      return found;
    });
    const run = job.run ? await pressedRun(page, job.run, seen) : null;
    const comparison = job.run ? { ...(await compared(page, job.pictures)), complaints: seen.take() } : null;
    const told = job.run ? await figures(page, job.pictures) : null;
    const queued = await blueprints.opened(page);
    seen.take();
    const used = { ...(await blueprints.used(page, job.blueprint, job.pictures)), complaints: seen.take() };
    const gray = await grayed(page);
    const dialog = job.run ? await clicked(page, job.run, job.pictures) : null;
    const inApp = await apps(page, job.apps, job.pictures);
    const chinese = job.run ? await inChinese(page, job.run, job.pictures) : null;
    const found = { templates, chinese, run, comparison, figures: told, queued, used, gray, dialog, apps: inApp };
    fs.writeFileSync(job.result, JSON.stringify(found));
  } finally {
    await context.close();
  }
}

/** Opens a template as the Templates dialog does: how it then looks, what it became, and a picture of it. */
async function template(page, name, seen, picture) {
  await openedAsTemplate(page, name);
  await still(page);
  const first = await look(page);
  await page.screenshot({ path: path.join(job.pictures, picture) });
  await page.keyboard.press("Escape"); // dialogs that a template brings up
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.Canvas.FitView"));
  await still(page);
  const told = await page.evaluate(async (file) => {
    const nodes = window.app.graph.nodes;
    const { output } = await window.app.graphToPrompt();
    const thumbnail = await fetch(`${file}.jpg`);
    return {
      thumbnail: { status: thumbnail.status, type: thumbnail.headers.get("content-type") },
      modern: Boolean(window.LiteGraph.vueNodesMode),
      drawn: document.querySelectorAll("[data-node-id]").length,
      types: nodes.map((node) => node.type),
      missing: nodes.map((node) => node.type).filter((type) => !(type in window.LiteGraph.registered_node_types)),
      prompt: output,
    };
  }, `/api/workflow_templates/reelpatch/${encodeURIComponent(name)}`);
  return { ...told, look: first, boxes: await placed(page), complaints: seen.take() };
}

/** Loads a template, presses Run, and waits for the end. */
async function pressedRun(page, name, seen) {
  await template(page, name, seen, "before the run.png");
  // Nothing from a run before: every node works, and says what it has to say.
  await page.request.post(`${job.url}/free`, { data: { unload_models: true, free_memory: true } });
  await page.waitForTimeout(3000);
  await page.evaluate(() => {
    window.ended = null;
    for (const kind of ["execution_success", "execution_error", "execution_interrupted"])
      window.app.api.addEventListener(kind, (event) => (window.ended ??= { kind, detail: event.detail }));
  });
  await page.getByTestId("queue-button").first().click();
  await page.waitForFunction(() => window.ended);
  await page.waitForTimeout(3000); // the clip that was made comes into its node
  await page.screenshot({ path: path.join(job.pictures, "after the run.png") });
  return { ended: await page.evaluate(() => window.ended), boxes: await placed(page), complaints: seen.take() };
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
