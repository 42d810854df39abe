// Drives ComfyUI's real front end: loads templates, reads what they are queued as, and presses Run.
// node drive.cjs JOB.json, where JOB is {url, chromium, profile, modern, templates, run, blueprint, pictures, result}.

const fs = require("fs");
const path = require("path");
const blueprints = require("./blueprints.cjs");
const { compared, figures } = require("./compare.cjs");
const { look, onSmallScreen, openedAsTemplate } = require("./looks.cjs");
const { browser, opened, reopened, watched } = require("./open.cjs");
const { placed, still } = require("./rest.cjs");
const { pressRun, ranAnew } = require("./runs.cjs");
const { sections } = require("./steps.cjs");

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf-8"));

async function main() {
  const context = await browser(job, { width: 2400, height: 1200 });
  try {
    const page = await opened(context, job);
    const seen = watched(page);
    const section = sections(page, job.pictures, async () => {
      await reopened(page);
      seen.take();
    });
    const found = { templates: {} };
    await onSmallScreen(page, async () => {
      for (const name of job.templates)
        found.templates[name] = await section(`template ${name}`, () => template(page, name, seen, `${name}.png`));
    });
    found.run = await section("run", () => pressedRun(page, job.run, seen));
    const comparison = async () => ({ ...(await compared(page, job.pictures)), complaints: seen.take() });
    found.comparison = await section("comparison", comparison, ["run"]);
    found.figures = await section("figures", () => figures(page, job.pictures));
    const used = async () => ({ ...(await blueprints.used(page, job.blueprint, job.pictures)), complaints: seen.take() });
    found.used = await section("blueprint", used);
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
  if (job.modern) await fitted(page);
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

/** Brings every node into view, as the nodes of the page itself lie only where they are drawn. */
async function fitted(page) {
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.Canvas.FitView"));
  await still(page);
}

/** Loads a template, presses Run, and waits for the end, and for the clip that was made to come into its node. */
async function pressedRun(page, name, seen) {
  await template(page, name, seen, "before the run.png");
  const ended = await ranAnew(page, () => pressRun(page));
  await still(page);
  await page.screenshot({ path: path.join(job.pictures, "after the run.png") });
  return { ended, boxes: await placed(page), complaints: seen.take() };
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
