// What a new user sees: a template as the Templates dialog opens it on a small screen, and apps as pages to fill in.

const path = require("path");

const SCREEN = { width: 1440, height: 900 };

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

/** Does `work` on a small screen, with the front end's own settings. */
async function onSmallScreen(page, work) {
  const usual = page.viewportSize();
  await page.setViewportSize(SCREEN);
  // A pointer that is left outside of the smaller page would pan the canvas that way.
  await page.mouse.move(SCREEN.width / 2, SCREEN.height / 2);
  await page.evaluate(() => window.app.extensionManager.setting.set("LiteGraph.Canvas.MinFontSizeForLOD", 8));
  const done = await work();
  await page.evaluate(() => window.app.extensionManager.setting.set("LiteGraph.Canvas.MinFontSizeForLOD", 0));
  await page.setViewportSize(usual);
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

/** Every app: the names of what it asks for, and their lines of words. The first is run. */
async function apps(page, names, pictures) {
  const asked = {};
  let run = null;
  for (const name of names) {
    await openedAsTemplate(page, name);
    const items = page.getByTestId("app-mode-widget-item");
    await items.first().waitFor();
    if (!run) await page.waitForTimeout(2000); // the tour comes late, and once
    await welcomed(page);
    asked[name] = await unchanged(page, async () => ({
      labels: await items.getByTestId("builder-widget-label").allInnerTexts(),
      lines: await items.getByTestId("app-mode-widget-description").allInnerTexts(),
    }));
    await page.screenshot({ path: path.join(pictures, `app ${name}.png`) });
    run ??= await pressedRun(page, pictures);
  }
  return { asked, run };
}

/** What `read` gives once it gives the same at several looks, one after the other. */
async function unchanged(page, read) {
  let found = await read();
  for (let same = 0; same < 4; ) {
    await page.waitForTimeout(100);
    const now = await read();
    same = JSON.stringify(now) === JSON.stringify(found) ? same + 1 : 0;
    found = now;
  }
  return found;
}

/** Puts away the tour that the front end offers where an app is opened for the first time. */
async function welcomed(page) {
  const skip = page.getByRole("button", { name: "Skip", exact: true });
  if (!(await skip.isVisible())) return;
  await skip.click();
  await skip.waitFor({ state: "hidden" });
}

async function pressedRun(page, pictures) {
  // Nothing from a run before: what was kept would not be shown again.
  await page.request.post(new URL("/free", page.url()).href, { data: { unload_models: true, free_memory: true } });
  await page.waitForTimeout(3000);
  await page.evaluate(() => {
    window.ended = null;
    for (const kind of ["execution_success", "execution_error", "execution_interrupted"])
      window.app.api.addEventListener(kind, (event) => (window.ended ??= { kind, detail: event.detail }));
  });
  await page.getByTestId("linear-run-button").getByRole("button", { name: "Run" }).click();
  await page.waitForFunction(() => window.ended);
  await page.waitForTimeout(3000);
  await page.screenshot({ path: path.join(pictures, "app after the run.png") });
  return page.evaluate(() => ({
    ended: window.ended,
    shown: [...document.querySelectorAll("video")]
      .filter((one) => one.getBoundingClientRect().width > 200)
      .map((one) => one.src),
  }));
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

module.exports = { apps, grayed, look, onSmallScreen, openedAsTemplate };
