// Keeps elements on the nodes that they belong to. In Nodes 2.0 ComfyUI puts a node's element on the page once: where undo makes
// the node anew under its number, the page goes on showing that of the node before, and what is done there is lost.

import { app } from "../../scripts/app.js";

const LOOKS_EVERY_MS = 500; // no event tells that the page has drawn a node
const views = new Set(); // {node, element}, of nodes that were put into a graph

/** The element is shown as long as its node is in the graph that is open. To be called when the node is made. */
export function keepShown(node, element) {
  const { onAdded } = node;
  node.onAdded = function (...given) {
    onAdded?.apply(this, given);
    views.add({ node, element });
  };
}

function look() {
  for (const view of views) {
    if (isThere(view)) continue;
    const next = view.element.isConnected && [...views].find((one) => takesPlaceOf(one, view));
    if (next) view.element.replaceWith(next.element);
    if (!view.element.isConnected) views.delete(view);
  }
}

/** Whether a node is in its graph still, and not another one under its number. */
function isThere({ node }) {
  return node.graph?.getNodeById(node.id) === node;
}

function takesPlaceOf(one, { node }) {
  const isOpen = isThere(one) && one.node.graph === app.canvas?.graph;
  return isOpen && !one.element.isConnected && one.node.type === node.type && String(one.node.id) === String(node.id);
}

setInterval(look, LOOKS_EVERY_MS);
