// Live previews while a graph with this pack's nodes is sampled, where the host's own setting leaves them to the server.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const SETTING = "Reelpatch.LivePreviews";
const LEFT_TO_THE_SERVER = "default";

function isOurs(prompt) {
  return Object.values(prompt?.output ?? {}).some((node) => node.class_type?.startsWith("Reelpatch"));
}

/** What a prompt is queued with: a method that a person has chosen stays. */
function withPreviews(prompt, options) {
  const chosen = options?.previewMethod ?? LEFT_TO_THE_SERVER;
  const isWanted = app.extensionManager?.setting?.get(SETTING) ?? true;
  if (chosen !== LEFT_TO_THE_SERVER || !isWanted || !isOurs(prompt)) return options;
  return { ...options, previewMethod: "auto" };
}

app.registerExtension({
  name: "reelpatch.previews",

  settings: [
    {
      id: SETTING,
      category: ["Reelpatch", "Sampling", "LivePreviews"],
      name: "Live previews of workflows with Reelpatch's nodes",
      tooltip: "While a video is sampled, shows what comes of it. A method chosen under Comfy, Execution goes before it.",
      type: "boolean",
      defaultValue: true,
    },
  ],

  setup() {
    const queue = api.queuePrompt;
    if (typeof queue !== "function") return; // a front end that queues in another way
    api.queuePrompt = function (number, prompt, options, ...rest) {
      return queue.call(this, number, prompt, withPreviews(prompt, options), ...rest);
    };
  },
});
