// The editor of a mask track: it holds the track, the playhead and what is selected, and has every part show them.

import { addStyle, made } from "../elements.js";
import { EditorActions } from "./actions.js";
import { hasCorners } from "./corners.js";
import { Film } from "./film.js";
import { History } from "./history.js";
import { Inspector } from "./inspector.js";
import { actionOf } from "./keys.js";
import { TrackMasks, paintMask } from "./masks.js";
import { keyAt } from "./motion.js";
import { Stage } from "./stage.js";
import { STYLE } from "./style.js";
import { Timeline } from "./timeline.js";
import { rateOf } from "./times.js";
import { Toolbar, Transport } from "./toolbar.js";
import { readTrack, writeTrack } from "./track_text.js";
import { wordsOf } from "./words.js";

const BLANK = { width: 832, height: 480, frames: 81, fps: "16" }; // to draw on where there is no film yet
const COLOUR = [255, 40, 80];

export class TrackEditor {
  #words;
  #parts = {};
  #history;
  #drawnText; // of the track that is shown, remembered or on the way
  #onChange;
  #masks = new TrackMasks((told) => this.#onMasks(told));
  #film = null;
  #run = ""; // whose connected masks are shown
  #isMaskShown = false;
  #awaited = 0; // counts films that were asked for
  #wasSought = false;
  #said = { film: "", masks: "", linked: "" };
  #state;

  /** `onChange(text)` is called when the track is another one. */
  constructor(locale, text, onChange) {
    this.#words = wordsOf(locale);
    this.#onChange = onChange;
    this.#history = new History(text);
    this.#drawnText = text;
    const track = readTrack(text);
    this.#state = {
      track,
      clip: BLANK,
      frame: 0,
      selected: -1,
      tool: "select",
      corner: -1,
      brush: 0.06,
      isPlaying: false,
      isText: false,
    };
    this.actions = new EditorActions(this);
    addStyle("reelpatch-track-style", STYLE);
    this.#build();
    this.show();
  }

  get text() {
    return this.#history.text;
  }

  /** Another text from elsewhere, such as a workflow that is opened. */
  set text(text) {
    if (text === this.text) return;
    this.#history = new History(text);
    this.#take(text);
  }

  get state() {
    return this.#state;
  }

  get timeline() {
    return this.#parts.timeline;
  }

  get stage() {
    return this.#parts.stage;
  }

  /** For tests and scripts: what is shown. */
  told() {
    const { frame, clip, selected, tool, corner, isPlaying } = this.#state;
    return {
      frame,
      clip,
      selected,
      tool,
      corner,
      zoom: this.stage.zoom,
      isPlaying,
      text: this.text,
      isMaskShown: this.#isMaskShown,
      said: { ...this.#said },
    };
  }

  /**
   * Shows a film of the server's, {filename, subfolder, type}, or none; `measures` {width, height, fps} replace its own.
   * `isLinked` where the track comes from elsewhere.
   */
  async open(file, measures = {}, isLinked = false) {
    const number = (this.#awaited += 1);
    const opened = file && (await Film.open(file, () => this.#drawPicture()).catch((error) => error));
    if (number !== this.#awaited) return;
    this.#film?.remove();
    this.#film = opened instanceof Film ? opened : null;
    this.#said.film = opened instanceof Error ? opened.message : opened ? "" : this.#words.noFilm;
    this.#said.linked = isLinked ? this.#words.linked : "";
    const { width, height, frames, fps } = this.#film?.told ?? BLANK;
    const clip = { width, height, frames, fps, ...(this.#film ? measures : {}) };
    this.update({ clip, frame: Math.min(this.#state.frame, frames - 1) });
  }

  /** Connected masks are drawn as a run of the node, by its name, was given them. */
  set run(name) {
    this.#run = name;
    this.show();
  }

  remove() {
    this.#awaited += 1;
    this.#state.isPlaying = false;
    this.#film?.remove();
  }

  /** Other state, shown. */
  update(changes) {
    Object.assign(this.#state, changes);
    this.show();
  }

  /** Another track: remembered, and told, unless it is only passed on the way to another. */
  change(track, { isPassing = false, selected = this.#state.selected } = {}) {
    this.#wasSought = false;
    Object.assign(this.#state, { track, selected });
    this.#drawnText = writeTrack(track);
    if (!isPassing) this.#remember(this.#drawnText);
    this.show();
  }

  /** The track as it was remembered last. */
  revert() {
    this.#take(this.text);
  }

  /** One step back (-1) or forth (1) in what was changed. */
  step(by) {
    const text = this.text;
    this.#take(this.#history.step(by));
    if (text !== this.text) this.#onChange(this.text);
  }

  seek(frame) {
    this.#wasSought = true;
    this.update({ frame: Math.min(this.#state.clip.frames - 1, Math.max(0, frame)) });
  }

  show() {
    const { track, clip, frame, selected, isText } = this.#state;
    const region = track?.regions[selected];
    if (!region) this.#state.selected = -1;
    if (this.#state.tool === "corners" && !hasCorners(region)) this.#state.tool = "select";
    const hasKey = Boolean(region) && keyAt(region, frame, clip, track.times) >= 0;
    const { canUndo, canRedo } = this.#history;
    const shown = { ...this.#state, canUndo, canRedo, canPaste: this.actions.canPaste, hasKey, rate: rateOf(clip) };
    for (const part of Object.values(this.#parts)) part.show?.(shown);
    this.stage.element.hidden = isText;
    this.#parts.text.hidden = !isText;
    if (document.activeElement !== this.#parts.text) this.#parts.text.value = this.text;
    this.#drawPicture();
    this.#drawMask();
    this.#say();
  }

  #remember(text) {
    if (text === this.text) return;
    this.#history.push(text);
    this.#onChange(text);
  }

  #take(text) {
    this.#drawnText = text;
    this.update({ track: readTrack(text) });
  }

  #build() {
    const words = this.#words;
    const run = (name, ...given) => this.actions.run(name, ...given);
    const act = {
      change: (track, how) => this.change(track, how),
      select: (selected) => this.update({ selected }),
      corner: (corner) => this.update({ corner }),
      seek: (frame) => this.seek(frame),
      tool: (tool) => this.update({ tool }),
      brush: (brush) => this.update({ brush }),
      run,
      cancel: () => this.revert(),
    };
    const text = made("textarea", { spellcheck: false, ariaLabel: words.text });
    text.addEventListener("change", () => {
      this.#remember(text.value);
      this.#take(text.value);
    });
    const message = made("div", { className: "message", attributes: { role: "status" } });
    this.#parts = {
      toolbar: new Toolbar(words, run),
      stage: new Stage(words, act),
      text,
      transport: new Transport(words, run),
      timeline: new Timeline(words, act),
      inspector: new Inspector(words, act),
      message,
    };
    const attributes = { role: "group", "aria-label": words.title };
    const parts = Object.values(this.#parts).map((part) => part.element ?? part);
    this.element = made("div", { className: "reelpatch-track", attributes }, ...parts);
    this.#listen();
    new ResizeObserver(() => this.show()).observe(this.stage.element);
  }

  #listen() {
    // The graph must not move the node or itself, nor paste nodes, while the editor is used.
    for (const kind of [
      "pointerdown",
      "pointermove",
      "pointerup",
      "mousedown",
      "mouseup",
      "touchstart",
      "dblclick",
      "copy",
      "cut",
      "paste",
    ])
      this.element.addEventListener(kind, (event) => event.stopPropagation());
    this.element.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && event.target.closest(".timeline, textarea")) event.stopPropagation();
    });
    // After a click on a button, keys are for the picture again.
    this.element.addEventListener("mousedown", (event) => {
      if (!event.target.closest("button")) return;
      event.preventDefault();
      if (!this.#state.isText) this.stage.element.focus({ preventScroll: true });
    });
    this.element.addEventListener("focusin", ({ target }) => keepKeys(target));
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
  }

  #onKey(event) {
    const { target } = event;
    const isWriting = target.tagName === "TEXTAREA" || target.tagName === "SELECT" || target.tagName === "INPUT";
    if (event.key !== "Tab") event.stopPropagation(); // the page has uses of its own for most of these
    if (isWriting || (target.tagName === "BUTTON" && (event.key === " " || event.key === "Enter"))) return;
    const action = actionOf(event, target === this.stage.element);
    if (!action || !this.actions.run(...action)) return;
    event.preventDefault();
  }

  #drawPicture() {
    const { picture } = this.stage;
    const told = this.#film?.told.strip ?? BLANK;
    if (picture.width !== told.width || picture.height !== told.height)
      [picture.width, picture.height] = [told.width, told.height];
    const context = picture.getContext("2d");
    if (!this.#film) {
      context.fillStyle = "#2a2a2e";
      context.fillRect(0, 0, picture.width, picture.height);
    } else if (this.#film.draw(context, this.#state.frame) && this.#state.isPlaying)
      this.#film.foresee(this.#state.frame);
  }

  #drawMask() {
    const { clip, frame, isPlaying } = this.#state;
    this.#masks.use(this.#drawnText, clip, this.#run);
    const mask = this.#masks.at(frame, isPlaying || this.#wasSought);
    this.#isMaskShown = mask !== null && this.#drawnText === this.text;
    if (mask) paintMask(this.stage.mask, mask, COLOUR);
  }

  #onMasks({ problem, leftOut, ofRun }) {
    const numbers = (regions) => regions.map((one) => one + 1).join(", ");
    const words = this.#words;
    const connected = leftOut.length ? words.leftOut(numbers(leftOut)) : ofRun.length ? words.ofRun(numbers(ofRun)) : "";
    this.#said.masks = problem || connected;
    if (problem) this.stage.mask.getContext("2d").clearRect(0, 0, this.stage.mask.width, this.stage.mask.height);
    else this.#drawMask();
    this.#say();
  }

  #say() {
    const { track } = this.#state;
    const hint = track && !track.regions.length ? this.#words.none : "";
    this.#parts.message.textContent =
      this.#said.linked || this.#said.masks || (track ? "" : this.#words.noTrack) || this.#said.film || hint;
  }
}

/** ComfyUI undoes whole graphs on Ctrl+Z, but leaves elements alone that say that they hold text: by `type`, in newer front ends as editable. */
function keepKeys(target) {
  if (target.tagName === "INPUT" || target.type === "textarea") return;
  Object.defineProperty(target, "type", { value: "textarea" });
  Object.defineProperty(target, "isContentEditable", { value: true });
}
