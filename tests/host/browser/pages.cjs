// What does not depend on the way in which nodes are drawn: what stands beside Run without the demo's button, blueprints and what
// they are queued as, widgets that a recipe replaces, the Templates dialog, apps, and words in Chinese.

const blueprints = require("./blueprints.cjs");
const { clicked } = require("./clicks.cjs");
const { buttons } = require("./front_door.cjs");
const { inChinese } = require("./language.cjs");
const { appRun, asked, grayed } = require("./looks.cjs");
const { reopened } = require("./open.cjs");
const { sections } = require("./steps.cjs");

/** The sections of this part of a visit: `run` is the template that is run, `apps` are all opened. */
async function visited({ page, pictures }, { run, apps }) {
  const section = sections(page, pictures, () => reopened(page));
  const found = { apps: {} };
  found.buttons = await section("buttons", () => buttons(page));
  found.queued = await section("queued blueprints", () => blueprints.opened(page));
  found.gray = await section("gray widgets", () => grayed(page));
  found.dialog = await section("Templates dialog", () => clicked(page, run, pictures));
  for (const name of apps) found.apps[name] = await section(`app ${name}`, () => asked(page, name, pictures));
  found.appRun = await section("app's run", () => appRun(page, apps[0], pictures));
  found.chinese = await section("Chinese", () => inChinese(page, run, pictures));
  return found;
}

module.exports = { visited };
