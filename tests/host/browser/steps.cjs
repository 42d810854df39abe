// Steps that wait for what they bring about, and a visit's sections, of which one can fail without the others.

const path = require("path");

// Long, for machines that are busy with other things: a step that takes longer fails.
const STEP_MS = 150_000;
const FIRST_TRY_MS = 3_000; // until what may have been lost is done once more, and twice as long each time after that
const TRY_MS = 20_000; // at most
const MOST_TRIES = 8;
const LOOK_MS = 50;
const MOST_FAILED = 3; // sections of a visit, before the rest is left out

const pause = (time) => new Promise((waited) => setTimeout(waited, time));

/** What `look` gives as soon as that is true; `what` says what is waited for. */
async function until(what, look, within = STEP_MS) {
  const end = Date.now() + within;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${within / 1000} s for ${what}`);
    await pause(LOOK_MS);
  }
}

/** Does `act`, which a busy page may lose, until `look` gives something true: that. A toggle is safe only with a `look` that tells. */
async function done(what, act, look) {
  const end = Date.now() + STEP_MS;
  let problem = "";
  for (let tries = 1; ; tries += 1) {
    try {
      await act();
      return await until(what, look, Math.min(TRY_MS, FIRST_TRY_MS * 2 ** (tries - 1)));
    } catch (error) {
      problem = error.message;
      await pause(1000);
    }
    if (tries === MOST_TRIES || Date.now() > end) throw new Error(`tried ${tries} times for ${what}: ${problem}`);
  }
}

/** What `read` gives once it gives the same at several looks, one after the other. */
async function unchanged(what, read) {
  let [before, same] = ["", 0];
  let found;
  await until(`${what} to stay the same`, async () => {
    found = await read();
    const now = JSON.stringify(found);
    same = now === before ? same + 1 : 0;
    before = now;
    return same === 4;
  });
  return found;
}

/**
 * A function (name, work, needed = []) that gives what `work` gives, or {failed} with what went wrong and a picture of the page;
 * `renew` then makes the page ready for the next section. A section that needs another one fails with it.
 */
function sections(page, pictures, renew) {
  const failures = new Map();
  return async (name, work, needed = []) => {
    const cause = needed.find((one) => failures.has(one));
    try {
      if (cause) throw new Error(`it needs ${failures.get(cause)}`);
      if (failures.size >= MOST_FAILED) throw new Error(`left out after ${[...failures.values()].join("\n")}`);
      return await work();
    } catch (error) {
      const told = cause || failures.size >= MOST_FAILED ? error.message : await pictured(page, pictures, name, error);
      if (failures.size < MOST_FAILED) failures.set(name, `${name}: ${told}`);
      if (!cause && failures.size < MOST_FAILED) await renew().catch(() => {}); // the next section says what it lacks
      return { failed: `${name}: ${told}` };
    }
  };
}

async function pictured(page, pictures, name, error) {
  const picture = path.join(pictures, `failed ${name}.png`);
  const isTaken = await page.screenshot({ path: picture, timeout: TRY_MS }).then(() => true, () => false);
  return `${error.stack}\n${isTaken ? `The page then: ${picture}` : "No picture could be taken of the page."}`;
}

module.exports = { STEP_MS, TRY_MS, done, sections, unchanged, until };
