// A run of the graph that is open: started as the caller presses, waited for, and what it ended with.

const { done, until } = require("./steps.cjs");

const RUN_MS = 180_000; // seconds of work; long, for machines that are busy with other things
const MOST_TRIES = 4;

/** Starts a run by `press`, and waits for its end: {kind, detail} of the event that told of it. */
async function ran(page, press) {
  const queue = new URL("/queue", page.url()).href;
  await until("an empty queue", async () => {
    const { queue_running: running, queue_pending: pending } = await (await page.request.get(queue)).json();
    return running.length + pending.length === 0;
  });
  await page.evaluate(() => {
    window.run = { begun: false, ended: null, cached: [] };
    if (window.isRunWatched) return;
    window.isRunWatched = true;
    const { api } = window.app;
    api.addEventListener("execution_start", () => (window.run.begun = true));
    api.addEventListener("execution_cached", (event) => (window.run.cached = event.detail.nodes));
    for (const kind of ["execution_success", "execution_error", "execution_interrupted"])
      api.addEventListener(kind, (event) => (window.run.ended ??= { kind, detail: event.detail }));
  });
  await done("the run to begin", press, () => page.evaluate(() => window.run.begun || window.run.ended));
  return until("the end of the run", () => page.evaluate(() => window.run.ended), RUN_MS);
}

/** A run in which every node works, and says what it has to say: nothing is kept from a run before. */
async function ranAnew(page, press) {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    // The server forgets in a thread of its own, and does not say when.
    const forget = { data: { unload_models: true, free_memory: true } };
    await page.request.post(new URL("/free", page.url()).href, forget);
    const ended = await ran(page, press);
    if (!(await page.evaluate(() => window.run.cached.length))) return ended;
  }
  throw new Error(`results of a run before were kept ${MOST_TRIES} times`);
}

/** Presses the page's own Run. */
function pressRun(page) {
  return page.getByTestId("queue-button").first().click();
}

module.exports = { pressRun, ran, ranAnew };
