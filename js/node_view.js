// Puts an element on nodes of some types, and gives it what the server tells about each of them.

import { app } from "../../scripts/app.js";
import { keepShown } from "./shown_elements.js";

/**
 * Registers an extension: `create(node)` makes a view with an `element`; `show(view, told)` gets what the node told, after
 * each run and when a workflow is opened again.
 */
export function addView({ name, types, widget, size, smallest, create, show }) {
  const views = new WeakMap();
  const tell = (node, told) => {
    const view = node && told && views.get(node);
    if (view) show(view, told);
  };
  app.registerExtension({
    name,

    nodeCreated(node) {
      if (!types.includes(node.constructor.comfyClass)) return;
      const view = create(node);
      views.set(node, view);
      const added = node.addDOMWidget(widget, `reelpatch_${widget}`, view.element, {
        serialize: false,
        hideOnZoom: false,
        getMinHeight: () => smallest,
        getValue: () => "",
        setValue: () => {},
      });
      added.serialize = false; // neither saved with the workflow nor sent to the server
      keepShown(node, view.element);
      node.setSize([Math.max(node.size[0], size[0]), Math.max(node.size[1], size[1])]);

      const { onExecuted, onRemoved } = node;
      node.onExecuted = function (told) {
        onExecuted?.call(this, told);
        tell(this, told);
      };
      node.onRemoved = function () {
        onRemoved?.call(this);
        view.remove?.();
      };
    },

    // A workflow that is opened again, or taken from the history, brings what its nodes told.
    onNodeOutputsUpdated(outputs) {
      for (const [id, told] of Object.entries(outputs)) tell(app.graph?.getNodeById?.(id), told);
    },
  });
}
