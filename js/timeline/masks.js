// The masks of a track as the engine draws them: asked of the server, so that there is no second way of drawing.

import { asked } from "./film.js";

const MOST_PX = 1024; // of a mask's longer side
const MOST_BYTES = 1 << 26; // that are kept
const AHEAD = 16; // masks that are asked for at once while nothing changes

export class TrackMasks {
  #text = "";
  #clip = null;
  #run = ""; // whose connected masks are drawn
  #masks = new Map(); // frame -> bytes
  #size = [1, 1];
  #wanted = null;
  #isAsking = false;
  #told;

  /** `told({problem, leftOut, ofRun})` is called with every answer: the numbers of regions that were not drawn, and of a run's. */
  constructor(told) {
    this.#told = told;
  }

  /** Other text, clip or run: what was drawn is forgotten, but for what is on the screen. */
  use(text, clip, run) {
    if (text === this.#text && clip === this.#clip && run === this.#run) return;
    [this.#text, this.#clip, this.#run] = [text, clip, run];
    this.#masks.clear();
  }

  /** {bytes, width, height} of a frame, or null; then it is fetched, with those after it where `isAhead`. */
  at(frame, isAhead) {
    const bytes = this.#masks.get(frame);
    if (bytes) return { bytes, width: this.#size[0], height: this.#size[1] };
    this.#wanted = { frame, count: isAhead ? AHEAD : 1 };
    this.#ask();
    return null;
  }

  /** Whether an answer is on its way. */
  get isAsking() {
    return this.#isAsking;
  }

  async #ask() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#wanted) {
      const { frame, count } = this.#wanted;
      this.#wanted = null;
      await this.#fetch(frame, count);
    }
    this.#isAsking = false;
  }

  async #fetch(frame, count) {
    const [text, clip, run] = [this.#text, this.#clip, this.#run];
    const isOld = () => text !== this.#text || clip !== this.#clip || run !== this.#run;
    const { width, height, frames, fps } = clip;
    const query = new URLSearchParams({ width, height, frames, fps, first: frame, count, most: MOST_PX, run });
    try {
      const answer = await asked(`/reelpatch/mask_track/masks?${query}`, { method: "POST", body: text });
      const told = JSON.parse(answer.headers.get("Reelpatch-Masks"));
      const bytes = new Uint8Array(await answer.arrayBuffer());
      if (isOld()) return;
      this.#keep(told, bytes);
      this.#told({ problem: "", leftOut: told.left_out, ofRun: told.of_run });
    } catch (error) {
      if (!isOld()) this.#told({ problem: error.message, leftOut: [], ofRun: [] });
    }
  }

  #keep({ width, height, first, count }, bytes) {
    const each = width * height;
    this.#size = [width, height];
    for (let place = 0; place < count; place += 1) {
      this.#masks.set(first + place, bytes.subarray(place * each, (place + 1) * each));
    }
    for (const old of this.#masks.keys()) {
      if (this.#masks.size * each <= MOST_BYTES) break;
      this.#masks.delete(old);
    }
  }
}

/** Paints a mask on a canvas, as large as it is: its values are the opacity. */
export function paintMask(canvas, { bytes, width, height }, [red, green, blue]) {
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const colour = (blue << 16) | (green << 8) | red; // bytes in memory stand in this order on all of today's machines
  for (let place = 0; place < bytes.length; place += 1) pixels[place] = ((bytes[place] << 24) | colour) >>> 0;
  canvas.getContext("2d").putImageData(image, 0, 0);
}
