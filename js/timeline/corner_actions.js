// What the editor's keys do while the points of a region are changed one by one; each says by false that there was nothing to do.

import { placesBetween, withCorner, withCornerAfter, withoutCorner } from "./corners.js";
import { outlineAt } from "./outlines.js";

export class CornerActions {
  #editor;

  constructor(editor) {
    this.#editor = editor;
  }

  get #outline() {
    const { track, clip, frame, selected } = this.#editor.state;
    return outlineAt(track.regions[selected], frame, track, clip);
  }

  next(by) {
    const count = this.#outline.points.length;
    const { corner } = this.#editor.state;
    this.#editor.update({ corner: (Math.max(corner, by < 0 ? 0 : -1) + by + count) % count });
  }

  nudge([across, down]) {
    const { state } = this.#editor;
    const at = this.#outline.points[state.corner];
    if (!at) return false;
    const { width, height } = state.clip;
    this.#editor.change(withCorner(state, state.corner, [at[0] + across * width, at[1] + down * height]));
  }

  /** One point more, in the middle before the next. */
  draw() {
    const { state } = this.#editor;
    const place = placesBetween(this.#outline).find(({ after }) => after === state.corner);
    const track = place && withCornerAfter(state, place.after, place.at);
    if (!track) return false;
    this.#editor.change(track);
    this.#editor.update({ corner: state.corner + 1 });
  }

  remove() {
    const { state } = this.#editor;
    const track = state.corner < 0 ? null : withoutCorner(state, state.corner);
    if (!track) return true; // where nothing can go, the region does not go in its place
    this.#editor.change(track);
    this.#editor.update({ corner: Math.min(state.corner, this.#outline.points.length - 1) });
  }
}
