// Drives ComfyUI's real front end: loads templates, reads what they are queued as, and presses Run.
// node drive.cjs JOB.json, where JOB is {url, chromium, profile, modern, templates, run, blueprint, small, apps, pictures, result}.

const fs = require("fs");
const path = require("path");
const blueprints = require("./blueprints.cjs");
const { clicked } = require("./clicks.cjs");
const { compared, figures } = require("./compare.cjs");
const { apps, grayed, looks } = require("./looks.cjs");
const { PATIENCE_MS, browser, opened, watched } = require("./open.cjs");

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf-8"));

async function main() {
  const context = await browser(job, { width: 2400, height: 1200 });
  try {
    const page = await opened(context, job);
    const seen = watched(page);
    const templates = {};
    for (const name of job.templates) templates[name] = await template(page, name, seen);
    const run = job.run ? await pressedRun(page, job.run, seen) : null;
    const comparison = job.run ? { ...(await compared(page, job.pictures)), complaints: seen.take() } : null;
    const told = job.run ? await figures(page, job.pictures) : null;
    const queued = await blueprints.opened(page, job.pictures);
    seen.take();
    const used = { ...(await blueprints.used(page, job.blueprint, job.pictures)), complaints: seen.take() };
    const small = await looks(page, job.small, job.pictures);
    const gray = await grayed(page);
    const dialog = job.run ? await clicked(page, job.run, job.pictures) : null;
    const inApp = await apps(page, job.apps, job.pictures);
    const found = { templates, run, comparison, figures: told, queued, used, small, gray, dialog, apps: inApp };
    fs.writeFileSync(job.result, JSON.stringify(found));
  } finally {
    await context.close();
  }
}

/** Loads a template as the Templates dialog does; what it became, and a picture of it. */
async function template(page, name, seen) {
  const url = `/api/workflow_templates/reelpatch/${encodeURIComponent(name)}`;
  await page.evaluate(async (file) => {
    await window.app.loadGraphData(await (await fetch(`${file}.json`)).json(), true, true);
  }, url);
  await settled(page);
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
  }, url);
  const boxes = await placed(page);
  await page.screenshot({ path: path.join(job.pictures, `${name}.png`) });
  return { ...told, boxes, complaints: seen.take() };
}

/** Waits until the dialogs that a template brings up are away and the whole graph is in view. */
async function settled(page) {
  await still(page);
  await page.keyboard.press("Escape");
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.Canvas.FitView"));
  await still(page);
}

const SAME_TIMES = 4; // looks, with the page's own frames drawn in between

/** Waits until every node is drawn and nothing moves, comes or goes any more. */
async function still(page) {
  const until = Date.now() + PATIENCE_MS;
  let before = "";
  for (let same = 0; same < SAME_TIMES; ) {
    if (Date.now() > until) throw new Error(`the page does not come to rest: ${before}`);
    await page.waitForTimeout(100);
    const { rest, isDrawn } = await page.evaluate(async () => {
      const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
      await frame();
      await frame();
      const { offset, scale } = window.app.canvas.ds;
      const dialogs = document.querySelectorAll("[role=dialog]").length;
      const drawn = document.querySelectorAll("[data-node-id]").length;
      return {
        rest: [...offset, scale, dialogs, drawn],
        isDrawn: !window.LiteGraph.vueNodesMode || drawn === window.app.graph.nodes.length,
      };
    });
    const now = JSON.stringify([rest, await placed(page)]);
    same = isDrawn && now === before ? same + 1 : 0;
    before = now;
  }
}

/** Where every node lies: [title, left, top, right, bottom], in the canvas's units or on the screen. */
async function placed(page) {
  return page.evaluate(() =>
    window.app.graph.nodes.map((node) => {
      const shown = document.querySelector(`[data-node-id="${node.id}"]`);
      if (window.LiteGraph.vueNodesMode && shown) {
        const { left, top, right, bottom } = shown.getBoundingClientRect();
        return [node.title, left, top, right, bottom];
      }
      const [left, top, width, height] = node.boundingRect;
      return [node.title, left, top, left + width, top + height];
    }),
  );
}

/** Loads a template, presses Run, and waits for the end. */
async function pressedRun(page, name, seen) {
  await template(page, name, seen);
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
