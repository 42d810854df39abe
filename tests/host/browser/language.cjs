// A template in a page whose language is Chinese.

const path = require("path");
const { openedAsTemplate } = require("./looks.cjs");
const { still } = require("./rest.cjs");

/** Its titles of nodes and groups, those inside its subgraphs too, its note, and the names of a node's inputs. */
async function inChinese(page, name, pictures) {
  const set = (locale) =>
    page.evaluate((to) => window.app.extensionManager.setting.set("Comfy.Locale", to), locale);
  await set("zh");
  await page.waitForTimeout(3000); // the front end opens once more what was open
  await openedAsTemplate(page, name);
  await still(page);
  await page.screenshot({ path: path.join(pictures, "in chinese.png") });
  const told = await page.evaluate(() => {
    const { graph } = window.app;
    const graphs = [graph, ...[...graph.subgraphs.values()]];
    return {
      nodes: graphs.flatMap((one) => one.nodes.map((node) => node.title)),
      groups: graphs.flatMap((one) => one.groups.map((group) => group.title)),
      note: graph.nodes.find((node) => node.type === "MarkdownNote").widgets[0].value,
    };
  });
  await set("en");
  return told;
}

module.exports = { inChinese };
