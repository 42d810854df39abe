// Guidance schedule: what the connected settings of a recipe replace is gray.

import { app } from "../../scripts/app.js";

const TYPE = "ReelpatchGuidanceSchedule";

function mark(node) {
  const isReplaced = node.inputs?.find((one) => one.name === "settings")?.link != null;
  for (const widget of node.widgets ?? []) widget.disabled = isReplaced;
}

app.registerExtension({
  name: "reelpatch.guidance",

  nodeCreated(node) {
    if (node.constructor.comfyClass !== TYPE) return;
    const { onConnectionsChange, onConfigure } = node;
    node.onConnectionsChange = function (...change) {
      onConnectionsChange?.apply(this, change);
      mark(this);
    };
    node.onConfigure = function (...given) {
      onConfigure?.apply(this, given);
      mark(this);
    };
  },
});
