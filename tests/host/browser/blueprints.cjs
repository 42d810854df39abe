// Uses blueprints as a person does: finds one by its words, places it, connects a video, presses Run, unpacks it.

const path = require("path");

/** Every blueprint of this pack, opened by itself: what it is queued as, and what once it is taken apart. */
async function opened(page) {
  const listed = await page.evaluate(async () => (await fetch("/global_subgraphs")).json());
  const ours = Object.entries(listed).filter(([, one]) => one.info.node_pack === "custom_nodes.reelpatch");
  const queued = {};
  for (const [id, { name }] of ours) {
    const whole = await page.evaluate(async (key) => {
      const { data } = await (await fetch(`/global_subgraphs/${key}`)).json();
      await window.app.loadGraphData(JSON.parse(data), true, true);
      return (await window.app.graphToPrompt()).output;
    }, id);
    queued[name] = { whole, apart: (await unpacked(page)).prompt };
  }
  return queued;
}

/** Searches for a blueprint, places it in an empty graph, gives it a video, and runs it; then takes it apart. */
async function used(page, { words, video, widgets }, pictures) {
  await page.evaluate(() => window.app.graph.clear());
  await page.waitForTimeout(1000);
  const { width, height } = page.viewportSize();
  await page.mouse.dblclick(width / 2, height / 2);
  await page.waitForTimeout(1500);
  await page.keyboard.type(words);
  await page.waitForTimeout(1500);
  await page.screenshot({ path: path.join(pictures, "blueprint found.png") });
  await page.keyboard.press("Enter");
  await page.waitForTimeout(1500);
  await page.mouse.click(width / 2, height / 2);
  await page.waitForFunction(() => window.app.graph.nodes.length === 1);
  await page.evaluate(
    async ([file, values]) => {
      const [node] = window.app.graph.nodes;
      const load = window.LiteGraph.createNode("LoadVideo");
      window.app.graph.add(load);
      load.pos = [node.pos[0] - 400, node.pos[1]];
      load.widgets.find((one) => one.name === "file").value = file;
      load.connect(0, node, 0);
      for (const [name, value] of Object.entries(values))
        node.widgets.find((one) => one.name === name).value = value;
      window.ended = null;
      for (const kind of ["execution_success", "execution_error", "execution_interrupted"])
        window.app.api.addEventListener(kind, (event) => (window.ended ??= { kind, detail: event.detail }));
    },
    [video, widgets],
  );
  const told = await page.evaluate(() => {
    const node = window.app.graph.nodes.find((one) => one.isSubgraphNode?.());
    return { title: node.title, widgets: node.widgets.map((one) => one.name) };
  });
  await page.getByTestId("queue-button").first().click();
  await page.waitForFunction(() => window.ended);
  await page.waitForTimeout(1500);
  await page.screenshot({ path: path.join(pictures, "blueprint after the run.png") });
  const ended = await page.evaluate(() => window.ended);
  const left = await unpacked(page);
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.Canvas.FitView"));
  await page.waitForTimeout(500);
  await page.screenshot({ path: path.join(pictures, "blueprint unpacked.png") });
  return { ...told, ended, unpacked: left };
}

/** Takes the subgraph apart: the types of the nodes that it leaves, and what they are queued as. */
async function unpacked(page) {
  await page.evaluate(async () => {
    window.app.canvas.select(window.app.graph.nodes.find((one) => one.isSubgraphNode?.()));
    await window.app.extensionManager.command.execute("Comfy.Graph.UnpackSubgraph");
  });
  await page.waitForFunction(() => !window.app.graph.nodes.some((one) => one.isSubgraphNode?.()));
  return page.evaluate(async () => ({
    types: window.app.graph.nodes.map((one) => one.type),
    prompt: (await window.app.graphToPrompt()).output,
  }));
}

module.exports = { opened, used };
