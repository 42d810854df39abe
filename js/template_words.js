// The pack's templates and apps in Chinese, where that is the page's language: titles of nodes and groups, notes, lines of apps, and the
// names of what a subgraph takes and gives. The host has no place for these.

import { app } from "../../scripts/app.js";

const LANGUAGE = "zh";
const NOTE = "MarkdownNote";
let asked = null; // once, by the first template that needs them

function words() {
  asked ??= fetch(new URL("./templates.zh.json", import.meta.url))
    .then((answer) => (answer.ok ? answer.json() : null))
    .catch(() => null);
  return asked;
}

/** Puts them into a workflow that is about to be opened; what a person has written there stays. */
function translate(form, { titles, slots, lines, notes }) {
  const inside = new Set((form.definitions?.subgraphs ?? []).map((graph) => graph.id));
  for (const graph of [form, ...(form.definitions?.subgraphs ?? [])]) {
    if (graph !== form) {
      graph.name = titles[graph.name] ?? graph.name;
      for (const slot of [...graph.inputs, ...graph.outputs]) slot.label ??= slots[slot.name];
    }
    for (const node of graph.nodes ?? [])
      if (inside.has(node.type)) for (const slot of [...node.inputs, ...node.outputs]) slot.label ??= slots[slot.name];
    for (const one of [...(graph.nodes ?? []), ...(graph.groups ?? [])]) one.title = titles[one.title] ?? one.title;
  }
  for (const [, , shown] of form.extra?.linearData?.inputs ?? [])
    if (shown?.description) shown.description = lines[shown.description] ?? shown.description;
  const [english, chinese] = notes[form.id];
  for (const node of form.nodes ?? [])
    if (node.type === NOTE && node.widgets_values?.[0] === english) node.widgets_values = [chinese];
}

app.registerExtension({
  name: "reelpatch.template_words",

  async beforeConfigureGraph(form) {
    const locale = app.extensionManager?.setting?.get("Comfy.Locale") ?? "";
    if (locale.split("-")[0] !== LANGUAGE) return;
    const found = await words();
    if (found && form?.id in found.notes) translate(form, found);
  },
});
