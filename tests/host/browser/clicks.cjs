// From the Templates dialog to the first result, by the mouse alone: every click is counted.

const path = require("path");

/** Opens the dialog, chooses this pack and a template, presses Run: what was clicked, the order shown, and how the run ended. */
async function clicked(page, template, pictures) {
  await page.request.post(new URL("/free", page.url()).href, { data: { unload_models: true, free_memory: true } });
  const clicks = [];
  const click = async (what, where) => {
    await where.click();
    clicks.push(what);
  };
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.BrowseTemplates"));
  const dialog = page.getByRole("dialog");
  await click("this pack", dialog.getByText("reelpatch", { exact: false }).first());
  const card = page.getByTestId(`template-workflow-${template}`);
  await card.waitFor();
  const shown = await page.evaluate(() =>
    [...document.querySelectorAll("[data-testid^=template-workflow-]")].map((one) =>
      one.dataset.testid.replace("template-workflow-", ""),
    ),
  );
  await page.screenshot({ path: path.join(pictures, "templates.png") });
  await click("template", card);
  await dialog.waitFor({ state: "hidden" });
  await page.waitForTimeout(3000);
  await page.evaluate(() => {
    window.ended = null;
    for (const kind of ["execution_success", "execution_error", "execution_interrupted"])
      window.app.api.addEventListener(kind, (event) => (window.ended ??= { kind, detail: event.detail }));
  });
  await click("Run", page.getByTestId("queue-button").first());
  await page.waitForFunction(() => window.ended);
  await page.waitForTimeout(2000);
  await page.screenshot({ path: path.join(pictures, "templates after the run.png") });
  const ended = await page.evaluate(() => window.ended);
  return { clicks, shown, ended };
}

module.exports = { clicked };
