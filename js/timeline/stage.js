// The picture: the clip's frame, the mask over it, and the outlines and handles of regions, which a pointer draws and moves.

import { drawn, made } from "../elements.js";
import { placesBetween } from "./corners.js";
import { spanOf } from "./envelope.js";
import { adding, bending, drawing, handling, moving, withNew } from "./gestures.js";
import { handlesOf, outlineAt } from "./outlines.js";
import { newRegion } from "./regions.js";
import { View } from "./view.js";

const HANDLE_PX = 5;
const TURN_PX = 22; // above the outline, or below its upper side where the picture ends
const NEAR_PX = 8; // a click this near to a polygon's first corner closes it
const DRAWS = ["box", "ellipse", "stroke"];
const WHEEL_CLOSER = 1.0015; // for each pixel that a wheel turns

export class Stage {
  #act;
  #state = null;
  #svg;
  #view = new View();
  #gesture = null; // {at: (point, keeps) => track or null, last}
  #held = null; // where a pointer holds the picture itself, on the page
  #corners = []; // of a polygon that is being drawn

  /** `act`: change(track, {isPassing, selected}), select(index), corner(index), tool(name), run(action), cancel(). */
  constructor(words, act) {
    this.#act = act;
    this.picture = made("canvas", { className: "picture" });
    this.mask = made("canvas", { className: "mask" });
    this.#svg = drawn("svg", { "aria-hidden": true });
    const attributes = { role: "application", "aria-label": words.stage, "data-capture-wheel": true };
    this.element = made("div", { className: "stage", tabIndex: 0, attributes }, this.picture, this.mask, this.#svg);
    this.#svg.addEventListener("pointerdown", (event) => this.#onDown(event));
    this.#svg.addEventListener("pointermove", (event) => this.#onMove(event));
    this.#svg.addEventListener("pointerup", (event) => this.#onUp(event));
    this.#svg.addEventListener("pointercancel", () => this.cancel());
    this.#svg.addEventListener("dblclick", () => this.close());
    this.#svg.addEventListener("mousedown", (event) => event.detail === 2 && this.#onSecond(event));
    this.element.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
  }

  get zoom() {
    return this.#view.zoom;
  }

  /** The picture `by` times as close around a place in pixels of the source, or the middle; 0 for all of it. */
  look(by, at) {
    if (!by) this.#view.whole();
    else this.#view.closer(by, at ? this.#placeOf(at) : [0, 0], this.#size());
    this.show(this.#state);
  }

  /** Moves the picture by shares of the stage, where not all of it is seen; says whether it is so. */
  pan([across, down]) {
    if (!this.#view.isClose) return false;
    const [width, height] = this.#size();
    this.#view.move([-across * width, -down * height], [width, height]);
    this.show(this.#state);
    return true;
  }

  /** Draws outlines and handles of a state: {track, clip, frame, selected, tool}. */
  show(state) {
    this.#state = state;
    const { clip, track, tool } = state;
    this.#svg.setAttribute("viewBox", `0 0 ${clip.width} ${clip.height}`);
    this.#svg.classList.toggle("draws", tool === "polygon" || DRAWS.includes(tool));
    for (const layer of this.element.children) layer.style.transform = this.#view.transform;
    const regions = track?.regions ?? [];
    const parts = regions.map((region, index) => this.#outline(region, index));
    const chosen = regions[state.selected];
    const outline = chosen && outlineAt(chosen, state.frame, track, clip);
    const handles = { select: () => this.#handles(outline), corners: () => this.#points(outline) }[tool];
    this.#svg.replaceChildren(...parts.filter(Boolean), ...(outline && handles ? handles() : []), ...this.#sketch());
  }

  /** Ends a polygon that is being drawn; says whether there was one. */
  close() {
    if (this.#corners.length < 3) return false;
    const region = newRegion("polygon", this.#corners, this.#state);
    this.#corners = [];
    this.#act.change(withNew(this.#state, region), { selected: this.#state.track.regions.length });
    this.#act.tool("select");
    return true;
  }

  /** Lets go of what is being drawn or moved; says whether there was anything. */
  cancel() {
    const wasBusy = this.#gesture !== null || this.#corners.length > 0;
    this.#gesture = this.#held = null;
    this.#corners = [];
    if (wasBusy) this.#act.cancel();
    return wasBusy;
  }

  #outline(region, index) {
    const { track, clip, frame, selected } = this.#state;
    const outline = outlineAt(region, frame, track, clip);
    if (!outline) return null;
    const { start, end } = spanOf(region, clip, track.times);
    const isAway = frame < start || frame >= end;
    const names = [
      "shape",
      index === selected && "selected",
      isAway && "away",
      region.mode === "subtract" && "subtracts",
    ];
    const look = { class: names.filter(Boolean).join(" "), "data-region": index, "stroke-width": 1.5 * this.#unit() };
    if (isAway) look["stroke-dasharray"] = `${4 * this.#unit()}`;
    const { centre, size, rotation, points, kind } = outline;
    if (kind === "ellipse") {
      const [cx, cy] = centre;
      const turn = { transform: `rotate(${rotation} ${cx} ${cy})` };
      return drawn("ellipse", { ...look, cx, cy, rx: size[0] / 2, ry: size[1] / 2, ...turn });
    }
    return drawn(kind === "stroke" ? "polyline" : "polygon", { ...look, points: points.join(" ") });
  }

  #handles(outline) {
    const unit = this.#unit();
    const { width, height } = this.#state.clip;
    const isWithin = ([x, y]) => x >= 0 && y >= 0 && x <= width && y <= height;
    const away = isWithin(handlesOf(outline, TURN_PX * unit).turn) ? TURN_PX : -TURN_PX;
    const places = handlesOf(outline, away * unit);
    const [top, knob] = [places.n, places.turn];
    const stem = drawn("line", {
      class: "stem",
      x1: top[0],
      y1: top[1],
      x2: knob[0],
      y2: knob[1],
      "stroke-width": unit,
    });
    const handles = Object.entries(places).map(([name, [cx, cy]]) =>
      drawn("circle", {
        class: `handle ${name}`,
        "data-handle": name,
        cx,
        cy,
        r: HANDLE_PX * unit,
        "stroke-width": unit,
      }),
    );
    return [stem, ...handles];
  }

  /** A handle on every point, and a smaller one where another can be put in. */
  #points(outline) {
    const unit = this.#unit();
    const look = ([cx, cy], radius) => ({ cx, cy, r: radius * unit, "stroke-width": unit });
    const between = placesBetween(outline).map(({ after, at }) =>
      drawn("circle", { class: "handle between", "data-after": after, ...look(at, HANDLE_PX * 0.6) }),
    );
    const points = outline.points.map((at, index) => {
      const name = index === this.#state.corner ? "handle corner chosen" : "handle corner";
      return drawn("circle", { class: name, "data-corner": index, ...look(at, HANDLE_PX) });
    });
    return [...between, ...points];
  }

  #sketch() {
    if (!this.#corners.length) return [];
    const look = { class: "sketch", "stroke-width": 1.5 * this.#unit() };
    const dots = this.#corners.map(([cx, cy]) => drawn("circle", { class: "handle", cx, cy, r: 4 * this.#unit() }));
    return [drawn("polyline", { ...look, points: this.#corners.join(" ") }), ...dots];
  }

  /** Pixels of the source in one pixel of the stage. */
  #unit() {
    const { width, height } = this.#state.clip;
    const [wide, high] = this.#size();
    return Math.max(width / (wide || width), height / (high || height)) / this.#view.zoom;
  }

  #size() {
    return [this.element.clientWidth, this.element.clientHeight];
  }

  /** A place in pixels of the source, as seen: from the middle of the stage, in its pixels. */
  #placeOf(point) {
    const { width, height } = this.#state.clip;
    const [seen, unit] = [this.#view.middle, this.#unit()];
    return [point[0] - width / 2, point[1] - height / 2].map((value, axis) => value / unit + seen[axis]);
  }

  /** Pixels of the page in one of the stage, which ComfyUI shows smaller or larger. */
  #shown() {
    return this.element.getBoundingClientRect().width / (this.element.clientWidth || 1) || 1;
  }

  /** Where a pointer is, in pixels of the source: the picture lies in the middle, as large as fits. */
  #pointOf(event) {
    const box = this.#svg.getBoundingClientRect();
    const { width, height } = this.#state.clip;
    const unit = Math.max(width / box.width, height / box.height);
    const from = [box.left + (box.width - width / unit) / 2, box.top + (box.height - height / unit) / 2];
    return [(event.clientX - from[0]) * unit, (event.clientY - from[1]) * unit];
  }

  #onDown(event) {
    this.element.focus({ preventScroll: true });
    const state = this.#state;
    if (event.button === 1) this.#hold(event);
    if (event.button !== 0 || !state?.track) return;
    const point = this.#pointOf(event);
    if (state.tool === "polygon") {
      this.#corner(point);
      return;
    }
    const at = DRAWS.includes(state.tool)
      ? drawing(state, state.tool, point, 3 * this.#unit())
      : this.#grabbed(event, point);
    if (!at) {
      this.#hold(event);
      return;
    }
    this.#gesture = { at, last: null };
    this.#svg.setPointerCapture(event.pointerId);
  }

  /** The pointer moves the picture itself, where not all of it is seen. */
  #hold(event) {
    if (!this.#view.isClose) return;
    event.preventDefault();
    this.#held = [event.clientX, event.clientY];
    this.#svg.setPointerCapture(event.pointerId);
  }

  /** The gesture of what lies under the pointer; beside everything, nothing is selected. */
  #grabbed({ target }, point) {
    const { handle, region, corner, after } = target.dataset;
    if (handle) return handling(this.#state, handle);
    if (corner || after) {
      this.#act.corner(corner ? Number(corner) : Number(after) + 1);
      return corner ? bending(this.#state, Number(corner)) : adding(this.#state, Number(after));
    }
    this.#act.select(region === undefined ? -1 : Number(region));
    return region === undefined ? null : moving(this.#state, point);
  }

  #corner(point) {
    const [first] = this.#corners;
    const isNear = first && Math.hypot(point[0] - first[0], point[1] - first[1]) < NEAR_PX * this.#unit();
    if (isNear && this.close()) return;
    this.#corners.push(point);
    this.show(this.#state);
  }

  /**
   * A point that is clicked twice goes. Its handle is drawn anew with every click, so that no dblclick comes, and the event
   * goes to what holds the pointer: the page is asked what is there.
   */
  #onSecond({ clientX, clientY }) {
    const { corner } = document.elementFromPoint(clientX, clientY)?.dataset ?? {};
    if (corner === undefined) return;
    this.#gesture = null;
    this.#act.corner(Number(corner));
    this.#act.run("remove");
  }

  /** Closer or farther while the picture has the focus, as ComfyUI's own widgets take the wheel; else it is the graph's. */
  #onWheel(event) {
    if (document.activeElement !== this.element || event.ctrlKey || event.metaKey || !this.#state) return;
    event.preventDefault();
    event.stopPropagation();
    this.look(WHEEL_CLOSER ** -event.deltaY, this.#pointOf(event));
  }

  #onMove(event) {
    if (this.#held) {
      const [x, y] = this.#held;
      this.#held = [event.clientX, event.clientY];
      this.#view.move(
        [event.clientX - x, event.clientY - y].map((one) => one / this.#shown()),
        this.#size(),
      );
      this.show(this.#state);
    }
    if (!this.#gesture) return;
    const track = this.#gesture.at(this.#pointOf(event), event.shiftKey);
    if (!track) return;
    this.#gesture.last = track;
    const isNew = DRAWS.includes(this.#state.tool);
    this.#act.change(track, { isPassing: true, selected: isNew ? track.regions.length - 1 : this.#state.selected });
  }

  #onUp(event) {
    this.#held = null;
    if (!this.#gesture) return;
    this.#onMove(event);
    const { last } = this.#gesture;
    this.#gesture = null;
    if (!last) return;
    this.#act.change(last, { selected: this.#state.selected });
    if (DRAWS.includes(this.#state.tool)) this.#act.tool("select");
  }
}
