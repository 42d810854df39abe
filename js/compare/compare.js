// The node Compare plays the film that it made.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { CompareView } from "./view.js";
import { addView } from "../node_view.js";

/** Where ComfyUI serves a file that a node made. */
function addressOf({ filename, subfolder, type }) {
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
}

addView({
  name: "reelpatch.compare",
  types: ["ReelpatchCompare"],
  widget: "comparison",
  size: [480, 520],
  smallest: 300,
  create(node) {
    const view = new CompareView(app.extensionManager?.setting?.get("Comfy.Locale") ?? "en");
    node.reelpatchCompare = view; // for scripts that want to look at it
    return view;
  },
  show(view, told) {
    const film = told.reelpatch_compare?.[0];
    if (film) view.load(addressOf(film), film);
  },
});
