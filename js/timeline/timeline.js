// The regions in time: a bar each with handles for its start, end and ramps, its keyframes, and the playhead over all.

import { made } from "../elements.js";
import { spanOf, withMoment, withoutMoment } from "./envelope.js";
import { withKeyMoved, withoutKey } from "./motion.js";
import { frameAt, rateOf } from "./times.js";

const MOST_ZOOM = 32;
const MARK_PX = 48; // of the ruler, for the words of a mark
const MOMENTS = ["start", "full", "fading", "end"];
const LEAPS = {
  ArrowLeft: -1,
  ArrowRight: 1,
  ArrowDown: -1,
  ArrowUp: 1,
  PageDown: -10,
  PageUp: 10,
  Home: -Infinity,
  End: Infinity,
};

export class Timeline {
  #words;
  #act;
  #state = null;
  #zoom = 1;
  #held = null; // what is dragged: frame -> void
  #shownRow = -1;
  #built = null; // what the rows were made of
  #inner;
  #ruler;
  #rows;
  #playhead;

  /** `act`: change(track, {isPassing, selected}), select(index), seek(frame). */
  constructor(words, act) {
    [this.#words, this.#act] = [words, act];
    this.#ruler = slider("ruler", words.playhead);
    this.#rows = made("div", { className: "rows" });
    this.#playhead = made("div", { className: "playhead" });
    this.#inner = made("div", { className: "inner" }, this.#ruler, this.#rows, this.#playhead);
    this.element = made("div", { className: "timeline" }, this.#inner);
    // The focus is given below: the browser would give it to what lies around the handle.
    this.element.addEventListener("mousedown", (event) => event.preventDefault());
    this.element.addEventListener("pointerdown", (event) => this.#onDown(event));
    this.element.addEventListener("pointermove", (event) => this.#held?.(this.#frameOf(event), true));
    this.element.addEventListener("pointerup", (event) => this.#onUp(event));
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.element.addEventListener("focusin", (event) => this.#onFocus(event));
  }

  show(state) {
    this.#state = state;
    const { clip, frame } = state;
    tell(this.#ruler, frame, clip, this.#words, clip.frames - 1);
    this.#playhead.style.left = share(frame + 0.5, clip);
    this.#build();
    for (const key of this.#rows.querySelectorAll(".key")) key.classList.toggle("here", this.#keyFrame(key) === frame);
    if (this.#shownRow !== state.selected) this.#bringUp(state.selected);
  }

  /** Makes rows and ruler anew, unless all that they show is what it was: where only the playhead moves, nothing else does. */
  #build() {
    const { clip, track, selected } = this.#state;
    const shown = [clip, track, selected, this.#zoom, this.element.clientWidth];
    if (this.#built?.every((one, place) => one === shown[place])) return;
    this.#built = shown;
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null;
    this.#inner.style.width = `${100 * this.#zoom}%`;
    this.#ruler.replaceChildren(...this.#marks());
    this.#rows.replaceChildren(...(track?.regions ?? []).map((region, index) => this.#row(region, index)));
    if (focused?.dataset.id) this.#shown(focused)?.focus({ preventScroll: true });
  }

  /** Scrolls to the row of a region. */
  #bringUp(index) {
    this.#shownRow = index;
    const row = this.#rows.children[index];
    if (!row) return;
    const { scrollTop, clientHeight } = this.element;
    const end = row.offsetTop + row.offsetHeight;
    this.element.scrollTop = Math.max(
      end - clientHeight,
      Math.min(scrollTop, row.offsetTop - this.#ruler.offsetHeight),
    );
  }

  /** Twice as much of the time in the same room, or half as much, with the playhead in view. */
  zoom(isCloser) {
    this.#zoom = Math.min(MOST_ZOOM, Math.max(1, this.#zoom * (isCloser ? 2 : 0.5)));
    this.show(this.#state);
    const at = (this.#state.frame / this.#state.clip.frames) * this.element.scrollWidth;
    this.element.scrollLeft = at - this.element.clientWidth / 2;
  }

  /** Marks at round times, as many as there is room for. */
  #marks() {
    const { clip } = this.#state;
    const rate = rateOf(clip);
    const room = Math.max(3, Math.floor(((this.element.clientWidth || 600) * this.#zoom) / MARK_PX));
    const wanted = clip.frames / room / rate;
    const step = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 3600].find((one) => one >= wanted) ?? wanted; // seconds
    const count = Math.min(1000, Math.floor((0.97 * clip.frames) / rate / step) + 1); // the last has no room
    return Array.from({ length: count }, (_, place) => {
      const text = `${Number((place * step).toFixed(2))} s`;
      const mark = made("span", { className: "mark", textContent: text, attributes: { "aria-hidden": true } });
      mark.style.left = share(place * step * rate, clip);
      return mark;
    });
  }

  #row(region, index) {
    const { clip, track, selected } = this.#state;
    const span = spanOf(region, clip, track.times);
    const name = `${region.name || this.#words.region(index + 1, this.#words.kinds[region.shape.kind])}`;
    const pressed = { "aria-pressed": index === selected, "data-id": `bar-${index}`, role: "button" };
    const bar = made("div", { className: "bar", tabIndex: 0, title: name, attributes: pressed });
    bar.classList.toggle("subtracts", region.mode === "subtract");
    Object.assign(bar.style, { left: share(span.start, clip), width: share(span.end - span.start, clip) });
    bar.style.setProperty("--in", share(span.full - span.start, { frames: span.end - span.start }));
    bar.style.setProperty("--out", share(span.end - span.fading, { frames: span.end - span.start }));
    bar.append(made("span", { textContent: name }));
    const row = made("div", { className: "row" }, bar);
    row.classList.toggle("selected", index === selected);
    for (const moment of MOMENTS) {
      const handle = slider(`moment ${moment}`, `${name}: ${this.#words.moments[moment]}`, `${moment}-${index}`);
      tell(handle, Math.round(span[moment]), clip, this.#words, clip.frames);
      handle.style.left = share(span[moment], clip);
      // Beside the end that it would else lie on.
      handle.classList.toggle("aside", moment === "full" ? span.full === span.start : span.fading === span.end);
      row.append(handle);
    }
    for (const [place, key] of (region.keyframes ?? []).entries()) {
      const handle = slider("key", `${name}: ${this.#words.key} ${place + 1}`, `key-${index}-${place}`);
      const at = frameAt(key.at, clip, track.times);
      tell(handle, Math.round(at), clip, this.#words, clip.frames - 1);
      handle.style.left = share(at + 0.5, clip);
      row.append(handle);
    }
    return row;
  }

  /** What a handle sets: (frame, isPassing) -> void; null for what is no handle. */
  #setterOf(target) {
    const [kind, index, key] = (target.closest("[data-id]")?.dataset.id ?? "").split("-");
    const { track, clip } = this.#state;
    if (kind === "ruler") return (frame) => this.#act.seek(Math.floor(frame));
    const region = track?.regions[index];
    if (!region) return null;
    const set = (made_, isPassing) =>
      this.#act.change({ ...track, regions: track.regions.with(index, made_) }, { isPassing, selected: Number(index) });
    if (kind === "key") {
      return (frame, isPassing) => {
        const at = Math.min(clip.frames - 1, Math.max(0, Math.floor(frame)));
        set(withKeyMoved(region, Number(key), at, clip, track.times), isPassing);
      };
    }
    if (kind === "bar") return null;
    return (frame, isPassing) => {
      const at = Math.min(clip.frames, Math.max(0, Math.round(frame)));
      set(withMoment(region, kind, at, clip, track.times), isPassing);
    };
  }

  #onDown(event) {
    if (event.button !== 0 || !this.#state) return;
    const element = event.target.closest("[data-id]");
    const [kind, index] = (element?.dataset.id ?? "").split("-");
    if (index !== undefined) this.#act.select(Number(index));
    if (!element) return;
    this.#held = this.#setterOf(element);
    this.element.setPointerCapture(event.pointerId);
    if (kind === "ruler") this.#held(this.#frameOf(event));
    if (kind === "key") this.#act.seek(this.#keyFrame(element));
    this.#shown(element)?.focus({ preventScroll: true });
  }

  /** The element that stands for one that was there before the rows were made anew. */
  #shown(element) {
    return this.element.querySelector(`[data-id="${element.dataset.id}"]`);
  }

  #onUp(event) {
    this.#held?.(this.#frameOf(event), false);
    this.#held = null;
  }

  #onKey(event) {
    const element = event.target.closest("[data-id]");
    const [kind, index, key] = (element?.dataset.id ?? "").split("-");
    if (!kind || event.ctrlKey || event.metaKey || event.altKey) return;
    const { track, clip } = this.#state;
    if (event.key in LEAPS && kind !== "bar") {
      const now = Number(element.getAttribute("aria-valuenow"));
      const frame = Math.min(clip.frames, Math.max(0, now + LEAPS[event.key] * (event.shiftKey ? 10 : 1)));
      this.#setterOf(element)(frame, false);
    } else if ((event.key === "Enter" || event.key === " ") && index !== undefined) {
      this.#act.select(Number(index));
      if (kind === "key") this.#act.seek(this.#keyFrame(element));
    } else if (event.key === "Delete" && index !== undefined && kind !== "bar") {
      const region = track.regions[index];
      const less =
        kind === "key"
          ? withoutKey(region, Number(key))
          : withoutMoment(region, /start|full/.test(kind) ? "in" : "out");
      this.#act.change({ ...track, regions: track.regions.with(index, less) }, { selected: Number(index) });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #onFocus({ target }) {
    const index = target.dataset.id?.split("-")[1];
    if (index !== undefined && Number(index) !== this.#state.selected) this.#act.select(Number(index));
  }

  #keyFrame(element) {
    return Number(element.getAttribute("aria-valuenow"));
  }

  #frameOf(event) {
    const box = this.#inner.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * this.#state.clip.frames;
  }
}

function share(frames, clip) {
  return `${(100 * frames) / clip.frames}%`;
}

function slider(className, label, id = className) {
  const attributes = { role: "slider", "aria-label": label, "data-id": id, "aria-valuemin": 0 };
  return made("div", { className, tabIndex: 0, title: label, attributes });
}

/** Says on a slider which frame it stands at. */
function tell(element, frame, clip, words, most) {
  const text = words.frame(frame + 1, (frame / rateOf(clip)).toFixed(2));
  for (const [name, value] of [
    ["valuenow", frame],
    ["valuemax", most],
    ["valuetext", text],
  ])
    element.setAttribute(`aria-${name}`, value);
}
