// What depends on the way in which nodes are drawn: templates as they open and what they are queued as, Run, Compare, figures on
// nodes, and a blueprint in use.

const path = require("path");
const blueprints = require("./blueprints.cjs");
const { compared, figures } = require("./compare.cjs");
const { look, openedAsTemplate, withOwnWords } = require("./looks.cjs");
const { reopened } = require("./open.cjs");
const { placed, still } = require("./rest.cjs");
const { pressRun, ranAnew } = require("./runs.cjs");
const { sections } = require("./steps.cjs");

/** The sections of this part of a visit: `templates` are all loaded, `run` is the one that is run, `blueprint` what is used. */
async function visited({ page, seen, pictures }, { templates, run, blueprint }) {
  const section = sections(page, pictures, async () => {
    await reopened(page);
    seen.take();
  });
  const found = { templates: {} };
  await withOwnWords(page, async () => {
    for (const name of templates)
      found.templates[name] = await section(`template ${name}`, () => template(page, name, seen));
  });
  found.run = await section("run", () => pressedRun(page, run, seen, pictures));
  const comparison = async () => ({ ...(await compared(page, pictures)), complaints: seen.take() });
  found.comparison = await section("comparison", comparison, ["run"]);
  found.figures = await section("figures", () => figures(page, pictures));
  const used = async () => ({ ...(await blueprints.used(page, blueprint, pictures)), complaints: seen.take() });
  found.used = await section("blueprint", used);
  return found;
}

/** Opens a template as the Templates dialog does: how it then looks, and what it became. */
async function template(page, name, seen) {
  await openedAsTemplate(page, name);
  await still(page);
  const first = await look(page);
  await page.keyboard.press("Escape"); // dialogs that a template brings up
  if ((await placed(page)).some(isNowhere)) await fitted(page);
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

/** Whether a node takes no place on the page, as those of the page itself out of view. */
function isNowhere([, left, top, right, bottom]) {
  return left === right || top === bottom;
}

/** Brings every node into view. */
async function fitted(page) {
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.Canvas.FitView"));
  await still(page);
}

/** Loads a template, presses Run, and waits for the end, and for the clip that was made to come into its node. */
async function pressedRun(page, name, seen, pictures) {
  await template(page, name, seen);
  const ended = await ranAnew(page, () => pressRun(page));
  await still(page);
  await page.screenshot({ path: path.join(pictures, "after the run.png") });
  return { ended, boxes: await placed(page), complaints: seen.take() };
}

module.exports = { visited };
