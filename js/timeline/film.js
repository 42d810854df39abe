// The frames of a film on the server, for looking at: strips of them, fetched as they are wanted.

import { api } from "../../../scripts/api.js";

const MOST_PX = 512; // of a frame in a strip
const MOST_STRIPS = 12; // that are kept; one of them is some ten megabytes

/** The answer to a request, or an error with the server's sentence. */
export async function asked(path, options) {
  const answer = await api.fetchApi(path, options);
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw new Error(said.error ?? `${answer.status} ${answer.statusText}`);
}

export class Film {
  #query;
  #strips = new Map(); // number -> ImageBitmap, the one used last at the end
  #onPicture;
  #wanted = null;
  #isAsking = false;

  /** `told` is what the server says of the film; `onPicture` is called when one more strip is there. */
  constructor(file, told, onPicture) {
    this.#query = queryOf(file);
    this.told = told;
    this.#onPicture = onPicture;
  }

  /** Asks the server about a file: {filename, subfolder, type}. */
  static async open(file, onPicture) {
    const told = await (await asked(`/reelpatch/film?${queryOf(file)}`)).json();
    return new Film(file, told, onPicture);
  }

  /** Draws a frame on all of a canvas. Says whether it is there; where it is not, it is fetched. */
  draw(context, frame) {
    const { frames, width, height, step } = this.told.strip;
    const strip = this.#strip(Math.floor(frame / frames));
    if (!strip) return false;
    const { canvas } = context;
    context.drawImage(strip, 0, (frame % frames) * step, width, height, 0, 0, canvas.width, canvas.height);
    return true;
  }

  /** Fetches what comes after a frame, so that playing does not wait. */
  foresee(frame) {
    const { frames } = this.told.strip;
    const next = Math.floor(frame / frames) + 1;
    if (next * frames < this.told.frames && !this.#strips.has(next)) this.#want(next);
  }

  remove() {
    this.#onPicture = () => {};
    for (const strip of this.#strips.values()) strip.close();
    this.#strips.clear();
  }

  #strip(number) {
    const strip = this.#strips.get(number);
    if (!strip) {
      this.#want(number);
      return null;
    }
    this.#strips.delete(number);
    this.#strips.set(number, strip);
    return strip;
  }

  /** One request at a time; of those that wait, the newest. */
  async #want(number) {
    this.#wanted = number;
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#wanted !== null) {
      const now = this.#wanted;
      this.#wanted = null;
      try {
        const answer = await asked(`/reelpatch/film/strip?${this.#query}&strip=${now}`);
        this.#keep(now, await createImageBitmap(await answer.blob()));
        this.#onPicture();
      } catch (error) {
        console.warn(`Reelpatch: ${error.message}`);
      }
    }
    this.#isAsking = false;
  }

  #keep(number, strip) {
    this.#strips.set(number, strip);
    for (const [old, picture] of this.#strips) {
      if (this.#strips.size <= MOST_STRIPS) break;
      picture.close();
      this.#strips.delete(old);
    }
  }
}

function queryOf({ filename, subfolder = "", type = "input" }) {
  return new URLSearchParams({ filename, subfolder, type, most: MOST_PX }).toString();
}
