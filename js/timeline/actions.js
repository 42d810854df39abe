// What the editor can be told to do, by a key or a button; each says by false that there was nothing to do.

import { CornerActions } from "./corner_actions.js";
import { hasCorners } from "./corners.js";
import { drawnBounds, keyAt, placedAt, withKey, withoutKey } from "./motion.js";
import { outlineAt } from "./outlines.js";
import { placed, withNew } from "./gestures.js";
import { withMoment } from "./envelope.js";
import { beside, middleRegion } from "./regions.js";
import { frameAt, rateOf } from "./times.js";

const PANS = 5; // times as far as a region is moved

let copied = null; // a region, for all editors on the page

export class EditorActions {
  #editor;
  #corners;

  constructor(editor) {
    this.#editor = editor;
    this.#corners = new CornerActions(editor);
  }

  get canPaste() {
    return copied !== null;
  }

  /** Does what an action's name says; false where there was nothing to do. */
  run(name, ...given) {
    const isEdit = !["text", "undo", "redo", "toggle", "step", "leap", "seek", "zoom", "look"].includes(name);
    if (isEdit && !this.#state.track) return false;
    const actions = this.#state.tool === "corners" && name in this.#corners ? this.#corners : this;
    return actions[name](...given) !== false;
  }

  get #state() {
    return this.#editor.state;
  }

  get #region() {
    return this.#state.track.regions[this.#state.selected];
  }

  /** The track with another region in place of the selected one. */
  #replace(region) {
    const { track, selected } = this.#state;
    this.#editor.change({ ...track, regions: track.regions.with(selected, region) });
  }

  #add(region) {
    this.#editor.change(withNew(this.#state, region), { selected: this.#state.track.regions.length });
  }

  tool(tool) {
    if (tool === "corners" && !hasCorners(this.#region)) return false;
    this.#editor.stage.cancel();
    this.#editor.update({ tool, corner: -1 });
  }

  whole() {
    this.#add({ shape: { kind: "whole" } });
  }

  /** Ends a polygon, or draws what the tool draws in the middle. */
  draw() {
    const { tool } = this.#state;
    if (this.#editor.stage.close()) return;
    if (tool === "select") return false;
    this.#add(middleRegion(tool, this.#state));
    this.tool("select");
  }

  escape() {
    if (!this.#editor.stage.cancel())
      this.#editor.update({ tool: "select", selected: this.#state.tool === "select" ? -1 : this.#state.selected });
  }

  next(by) {
    const count = this.#state.track.regions.length;
    if (!count) return false;
    this.#editor.update({ selected: (Math.max(this.#state.selected, by < 0 ? 0 : -1) + by + count) % count });
  }

  nudge([across, down]) {
    if (!this.#region) return this.#editor.stage.pan([across, down].map((one) => one * PANS));
    this.#placed(({ centre }, { width, height }) => ({
      centre: [centre[0] + across * width, centre[1] + down * height],
    }));
  }

  scale(by) {
    this.#placed(({ centre, size }) => ({ centre, size: size.map((one) => one * by) }));
  }

  turn(degrees) {
    this.#placed(({ rotation }) => ({ rotation: rotation + degrees }));
  }

  #placed(change) {
    const { track, clip, frame } = this.#state;
    const outline = this.#region && outlineAt(this.#region, frame, track, clip);
    if (outline) this.#editor.change(placed(this.#state, change(outline, clip)));
  }

  /** A keyframe at the playhead with where the region is now, or none where one was. */
  key() {
    const { track, clip, frame } = this.#state;
    if (!this.#region) return false;
    const index = keyAt(this.#region, frame, clip, track.times);
    if (index >= 0) return this.#replace(withoutKey(this.#region, index));
    const { position, size, rotation, value } = placedAt(this.#region, frame, clip, track.times);
    const said = drawnBounds(this.#region) ? { position, size } : { value };
    this.#replace(withKey(this.#region, rotation ? { ...said, rotation } : said, frame, clip, track.times));
  }

  start() {
    return this.#moment("start", this.#state.frame);
  }

  /** The region's last frame is the one at the playhead. */
  end() {
    return this.#moment("end", this.#state.frame + 1);
  }

  #moment(name, frame) {
    const { track, clip } = this.#state;
    if (!this.#region) return false;
    this.#replace(withMoment(this.#region, name, frame, clip, track.times));
  }

  mode() {
    if (!this.#region) return false;
    this.#replace({ ...this.#region, mode: this.#region.mode === "subtract" ? undefined : "subtract" });
  }

  copy() {
    if (!this.#region) return false;
    copied = structuredClone(this.#region);
    this.#editor.show();
  }

  cut() {
    return this.copy() !== false && this.remove();
  }

  paste() {
    if (!copied) return false;
    this.#add(beside(copied, this.#state));
  }

  duplicate() {
    if (!this.#region) return false;
    this.#add(beside(this.#region, this.#state));
  }

  remove() {
    const { track, selected } = this.#state;
    if (!this.#region) return false;
    const regions = track.regions.toSpliced(selected, 1);
    this.#editor.change({ ...track, regions }, { selected: Math.min(selected, regions.length - 1) });
  }

  undo() {
    if (!this.#editor.stage.cancel()) this.#editor.step(-1);
  }

  redo() {
    this.#editor.step(1);
  }

  text() {
    this.#editor.update({ isText: !this.#state.isText });
  }

  zoom(isCloser) {
    this.#editor.timeline.zoom(isCloser);
  }

  /** The picture closer around the selected region, farther, or all of it (0). */
  look(by) {
    const { track, clip, frame } = this.#state;
    const outline = track && this.#region && outlineAt(this.#region, frame, track, clip);
    this.#editor.stage.look(by, outline?.centre);
  }

  seek(frame) {
    this.#editor.seek(frame);
  }

  step(by) {
    this.#editor.update({ isPlaying: false });
    this.#editor.seek(this.#state.frame + by);
  }

  /** To the next keyframe of the selected region, or the one before. */
  leap(by) {
    const { track, clip, frame } = this.#state;
    const keys = (track && this.#region?.keyframes) ?? [];
    const frames = keys.map((key) => Math.round(frameAt(key.at, clip, track.times)));
    const found = by > 0 ? frames.find((one) => one > frame) : frames.findLast((one) => one < frame);
    if (found === undefined) return false;
    this.#editor.seek(found);
  }

  /** Plays the clip at its rate, again and again, or stops. */
  toggle() {
    const isPlaying = !this.#state.isPlaying;
    this.#editor.update({ isPlaying });
    if (!isPlaying) return;
    const from = { frame: this.#state.frame, at: performance.now() };
    const next = (now) => {
      const { clip } = this.#state;
      if (!this.#state.isPlaying) return;
      const frame = Math.floor(from.frame + (Math.max(0, now - from.at) / 1000) * rateOf(clip)) % clip.frames;
      if (frame !== this.#state.frame) this.#editor.seek(frame);
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  }
}
