// What a new user sees: a template as the Templates dialog opens it on a small screen, and apps as pages to fill in.

const path = require("path");
const { ranAnew } = require("./runs.cjs");
const { unchanged, until } = require("./steps.cjs");

/** Opens a workflow as the Templates dialog does. */
async function openedAsTemplate(page, name) {
  const url = `/api/workflow_templates/reelpatch/${encodeURIComponent(name)}.json`;
  await page.evaluate(
    async ([file, title]) => {
      const form = await (await fetch(file)).json();
      await window.app.loadGraphData(form, true, true, title, { openSource: "template" });
    },
    [url, name],
  );
}

/** Does `work` with the front end's own limit of how small words are drawn. */
async function withOwnWords(page, work) {
  await page.evaluate(() => window.app.extensionManager.setting.set("LiteGraph.Canvas.MinFontSizeForLOD", 8));
  const done = await work();
  await page.evaluate(() => window.app.extensionManager.setting.set("LiteGraph.Canvas.MinFontSizeForLOD", 0));
  return done;
}

/** How large words are on the screen: in pixels, and whether they are drawn at all; and where the nodes are on it. */
function look(page) {
  return page.evaluate(() => {
    const { scale } = window.app.canvas.ds;
    const shown = (one) => {
      const [left, top, width, height] = one.boundingRect;
      const at = window.app.canvas.ds.convertOffsetToCanvas([left, top]);
      return [one.title, at[0], at[1], at[0] + width * scale, at[1] + Math.min(height, 300) * scale];
    };
    return {
      title: 14 * scale, // the front end's size of a title
      text: 10 * scale, // and of what is typed
      isCoarse: Boolean(window.app.canvas.low_quality) && !window.LiteGraph.vueNodesMode,
      boxes: window.app.graph.nodes.map(shown),
    };
  });
}

/** An app: the names of what it asks for, and their lines of words. */
async function asked(page, name, pictures) {
  await openedAsTemplate(page, name);
  const items = page.getByTestId("app-mode-widget-item");
  await items.first().waitFor();
  const told = await unchanged(`what ${name} asks for`, async () => ({
    labels: await items.getByTestId("builder-widget-label").allInnerTexts(),
    lines: await items.getByTestId("app-mode-widget-description").allInnerTexts(),
  }));
  await page.screenshot({ path: path.join(pictures, `app ${name}.png`) });
  return told;
}

/** Runs an app: how that ended, and the clips that are then shown large. */
async function appRun(page, name, pictures) {
  await asked(page, name, pictures);
  const run = page.getByTestId("linear-run-button").getByRole("button", { name: "Run" });
  const ended = await ranAnew(page, () => run.click());
  const large = () =>
    page.evaluate(() =>
      [...document.querySelectorAll("video")]
        .filter((one) => one.getBoundingClientRect().width > 200)
        .map((one) => one.src),
    );
  await until("the app's result", async () => (await large()).length);
  const shown = await unchanged("the app's result", large);
  await page.screenshot({ path: path.join(pictures, "app after the run.png") });
  return { ended, shown };
}

/** Which widgets of Guidance schedule are gray, without a recipe's settings, with them, and without them again. */
async function grayed(page) {
  return page.evaluate(() => {
    const { graph } = window.app;
    graph.clear();
    const [recipe, guider] = ["ReelpatchRecipe", "ReelpatchGuidanceSchedule"].map((type) => {
      const node = window.LiteGraph.createNode(type);
      graph.add(node);
      return node;
    });
    const gray = () => guider.widgets.filter((one) => one.disabled).map((one) => one.name);
    const before = gray();
    recipe.connect(2, guider, guider.inputs.findIndex((one) => one.name === "settings"));
    const between = gray();
    guider.disconnectInput(guider.inputs.findIndex((one) => one.name === "settings"));
    return [before, between, gray()];
  });
}

module.exports = { appRun, asked, grayed, look, openedAsTemplate, withOwnWords };
