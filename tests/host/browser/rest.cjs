// Where nodes lie on the page, and the wait until nothing moves there any more.

const { STEP_MS } = require("./steps.cjs");

const SAME_TIMES = 4; // looks, with the page's own frames drawn in between

/** Waits until every node is drawn and nothing moves, comes or goes any more. */
async function still(page) {
  const until = Date.now() + STEP_MS;
  let before = "";
  for (let same = 0; same < SAME_TIMES; ) {
    if (Date.now() > until) throw new Error(`waited ${STEP_MS / 1000} s for the page to come to rest: ${before}`);
    const { rest, isDrawn } = await page.evaluate(async () => {
      await new Promise((waited) => setTimeout(waited, 50));
      await new Promise((drawn) => requestAnimationFrame(drawn));
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

module.exports = { placed, still };
