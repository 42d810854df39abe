// The pack's templates in their own order: a server lists files as its disk has them.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { PACK, templateOrder } from "./pack.js";

/** Those that the order names, as it names them; then the rest as they were. */
function inOrder(names, order) {
  const place = new Map(order.map((name, number) => [name, number]));
  return [...names].sort((one, other) => (place.get(one) ?? order.length) - (place.get(other) ?? order.length));
}

app.registerExtension({
  name: "reelpatch.templates",

  setup() {
    const listed = api.getWorkflowTemplates;
    if (typeof listed !== "function") return; // a front end that asks in another way
    api.getWorkflowTemplates = async function (...given) {
      const templates = await listed.apply(this, given);
      if (!Array.isArray(templates?.[PACK])) return templates;
      return { ...templates, [PACK]: inOrder(templates[PACK], await templateOrder()) };
    };
  },
});
