// A template in a page whose language is Chinese.

const path = require("path");
const { openedAsTemplate } = require("./looks.cjs");
const { still } = require("./rest.cjs");
const { done } = require("./steps.cjs");

/** Its titles of nodes and groups, those inside its subgraphs too, its note, and the names of a node's inputs. */
async function inChinese(page, name, pictures) {
  const set = (locale) =>
    page.evaluate((to) => window.app.extensionManager.setting.set("Comfy.Locale", to), locale);
  try {
    await set("zh");
    // The front end opens once more what was open, at a time of its own: the template is opened until it stays.
    await done(
      "the template in Chinese",
      async () => {
        await openedAsTemplate(page, name);
        await still(page);
      },
      async () => {
        const { nodes, note } = await told(page);
        return note && nodes.every((title) => /[\u4e00-\u9fff]/.test(title));
      },
    );
    await page.screenshot({ path: path.join(pictures, "in chinese.png") });
    return await told(page);
  } finally {
    await set("en");
  }
}

function told(page) {
  return page.evaluate(() => {
    const { graph } = window.app;
    const graphs = [graph, ...[...graph.subgraphs.values()]];
    return {
      nodes: graphs.flatMap((one) => one.nodes.map((node) => node.title)),
      groups: graphs.flatMap((one) => one.groups.map((group) => group.title)),
      note: graph.nodes.find((node) => node.type === "MarkdownNote")?.widgets[0].value,
    };
  });
}

module.exports = { inChinese };
