// From the Templates dialog to the first result, by the mouse alone: every click is counted.

const path = require("path");
const { still } = require("./rest.cjs");
const { pressRun, ranAnew } = require("./runs.cjs");
const { TRY_MS, done, unchanged } = require("./steps.cjs");

/** Opens the dialog, chooses this pack and a template, presses Run: what was clicked, the order shown, and how the run ended. */
async function clicked(page, template, pictures) {
  const clicks = [];
  const dialog = page.getByRole("dialog");
  await done(
    "the Templates dialog",
    async () => {
      if (!(await dialog.isVisible()))
        await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.BrowseTemplates"));
    },
    () => dialog.isVisible(),
  );
  const card = page.getByTestId(`template-workflow-${template}`);
  const pack = dialog.getByText("reelpatch", { exact: false }).first();
  await done("the template's card", () => pack.click({ timeout: TRY_MS }), () => card.isVisible());
  clicks.push("this pack");
  const shown = await unchanged("the cards", () =>
    page.evaluate(() =>
      [...document.querySelectorAll("[data-testid^=template-workflow-]")].map((one) =>
        one.dataset.testid.replace("template-workflow-", ""),
      ),
    ),
  );
  await page.screenshot({ path: path.join(pictures, "templates.png") });
  await done("the Templates dialog to close", () => card.click({ timeout: TRY_MS }), () => dialog.isHidden());
  clicks.push("template");
  await still(page);
  const ended = await ranAnew(page, () => pressRun(page));
  clicks.push("Run");
  await page.screenshot({ path: path.join(pictures, "templates after the run.png") });
  return { clicks, shown, ended };
}

module.exports = { clicked };
