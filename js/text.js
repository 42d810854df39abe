// Plan, Measure and Convert weights show their lines on the node, as long as they are: to be scrolled, selected and copied.

import { addView } from "./node_view.js";

const STYLE = {
  boxSizing: "border-box",
  width: "100%",
  height: "100%",
  minHeight: "160px",
  margin: "0",
  padding: "8px",
  overflow: "auto",
  whiteSpace: "pre-wrap",
  overflowWrap: "anywhere",
  userSelect: "text",
  font: "12px/1.45 sans-serif",
  color: "var(--input-text, #ddd)",
  background: "var(--comfy-input-bg, #222)",
  borderRadius: "4px",
};

addView({
  name: "reelpatch.text",
  types: ["ReelpatchPlan", "ReelpatchMeasure", "ReelpatchConvertWeights"],
  widget: "text",
  size: [460, 760],
  smallest: 180,
  create() {
    const element = Object.assign(document.createElement("pre"), { tabIndex: 0, className: "reelpatch-text" });
    Object.assign(element.style, STYLE);
    // Selecting and scrolling must not move the node or zoom the graph.
    for (const kind of ["pointerdown", "mousedown", "wheel"])
      element.addEventListener(kind, (event) => event.stopPropagation());
    return { element };
  },
  show({ element }, told) {
    const [text] = told.text ?? [];
    if (text !== undefined) element.textContent = text;
  },
});
