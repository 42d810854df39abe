// A player of one film that holds two clips: under a line that is dragged, side by side, or their difference.
// The browser decodes one film, so before and after are always the same frame.

import { addStyle, button, made, relabel } from "../elements.js";
import { middleOfChange } from "./change.js";
import { drawPicture } from "./picture.js";

const WORDS = {
  en: {
    title: "Before and after",
    empty: "Run the graph to compare.",
    loading: "Loading…",
    broken: "The film cannot be played: run the graph again.",
    names: ["Before", "After"],
    play: "Play (space)",
    pause: "Pause (space)",
    seek: "Frame",
    line: "Line between before and after",
    wipe: "Wipe",
    side: "Side by side",
    difference: "Difference ×4",
    mute: "Sound off (m)",
    unmute: "Sound on (m)",
  },
  zh: {
    title: "前后对比",
    empty: "运行工作流后即可对比。",
    loading: "正在加载…",
    broken: "无法播放对比视频:请重新运行工作流。",
    names: ["编辑前", "编辑后"],
    play: "播放(空格)",
    pause: "暂停(空格)",
    seek: "帧",
    line: "前后分界线",
    wipe: "划像",
    side: "并排",
    difference: "差异 ×4",
    mute: "关闭声音(m)",
    unmute: "打开声音(m)",
  },
};
const MODES = ["wipe", "side", "difference"];
const SHARE_OF_KEY = 0.02; // how far an arrow key moves the line
const STYLE = `
.reelpatch-compare { display: flex; flex-direction: column; gap: 6px; width: 100%; height: 100%; min-height: 300px;
  box-sizing: border-box; color: var(--input-text, #ddd); font: 12px sans-serif; outline: none; }
.reelpatch-compare .stage { position: relative; flex: 1 1 0; min-height: 120px; background: #000; overflow: hidden; }
.reelpatch-compare canvas { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain;
  touch-action: none; outline: none; }
.reelpatch-compare canvas.wipe { cursor: ew-resize; }
.reelpatch-compare video { position: absolute; width: 1px; height: 1px; opacity: 0; pointer-events: none; }
.reelpatch-compare .message { position: absolute; inset: 0; display: grid; place-items: center; text-align: center;
  padding: 12px; color: #aaa; pointer-events: none; }
.reelpatch-compare .message[hidden] { display: none; }
.reelpatch-compare .bar { display: flex; gap: 4px; align-items: center; flex: 0 0 auto; }
.reelpatch-compare button { flex: 0 1 auto; min-width: 36px; height: 32px; padding: 0 8px; color: inherit; cursor: pointer;
  border: 1px solid var(--border-color, #555); border-radius: 4px; background: var(--comfy-input-bg, #222); }
.reelpatch-compare button[aria-pressed="true"] { border-color: #4a90d9; box-shadow: inset 0 0 0 1px #4a90d9; }
.reelpatch-compare :focus-visible, .reelpatch-compare canvas:focus-visible { outline: 2px solid #4a90d9;
  outline-offset: -2px; }
.reelpatch-compare input { flex: 1 1 60px; min-width: 60px; height: 32px; margin: 0; }
.reelpatch-compare output { min-width: 64px; text-align: right; font-variant-numeric: tabular-nums; }
.reelpatch-compare svg { display: block; margin: auto; }
.reelpatch-compare .modes { justify-content: center; }
`;

/** `element` is to be put on a page; `load` gives it a film, `remove` lets go of it, `state` tells what it shows. */
export class CompareView {
  #words;
  #video;
  #canvas;
  #message;
  #parts = {};
  #film = null;
  #mode = "wipe";
  #share = 0.5; // of the width that shows before
  #isPlaced = false; // whether the line lies where this film changes, or where a person put it
  #isMoved = false; // by a person
  #awaited = null; // the frame that a seek is on its way to

  constructor(locale) {
    this.#words = WORDS[locale.split("-")[0]] ?? WORDS.en;
    this.#build();
    this.#listenToVideo();
    this.#listenToPointer();
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.setMode("wipe");
  }

  /** Plays a film; `film` as in picture.js. */
  load(address, film) {
    const whole = new URL(address, document.baseURI).href;
    if (this.#film && this.#video.src === whole) return;
    this.#film = film;
    this.#isPlaced = this.#isMoved;
    this.#awaited = null;
    this.#parts.seek.max = film.frames - 1;
    const isSmaller = film.width !== film.source[0];
    this.#parts.smaller.textContent = isSmaller ? `${film.width}×${film.height} / ${film.source.join("×")}` : "";
    this.#say(this.#words.loading);
    this.#video.src = whole; // not as a blob, which ComfyUI's rules for pages may forbid
  }

  remove() {
    this.#film = null;
    this.#awaited = null;
    this.#video.pause();
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  state() {
    return {
      mode: this.#mode,
      share: this.#share,
      frame: this.#frame(),
      frames: this.#film?.frames ?? 0,
      isPlaying: !this.#video.paused,
      isMuted: this.#video.muted,
      isReady: this.#isReady(),
    };
  }

  setMode(mode) {
    this.#mode = mode;
    this.#canvas.classList.toggle("wipe", mode === "wipe");
    for (const name of MODES) this.#parts[name].setAttribute("aria-pressed", String(name === mode));
    this.#draw();
  }

  #build() {
    addStyle("reelpatch-compare-style", STYLE);
    const words = this.#words;
    this.#video = made("video", { muted: true, loop: true, playsInline: true, preload: "auto" });
    const slider = { role: "slider", "aria-label": words.line, "aria-valuemin": 0, "aria-valuemax": 100 };
    this.#canvas = made("canvas", { tabIndex: 0, attributes: { ...slider, "aria-valuenow": 50 } });
    this.#message = made("div", { className: "message", textContent: words.empty });
    const play = button("", words.play, () => this.#toggle());
    const sound = button("", words.unmute, () => this.#toggleSound());
    relabel(play, "play", words.play);
    relabel(sound, "muted", words.unmute);
    const seek = made("input", { type: "range", min: 0, max: 0, value: 0, attributes: { "aria-label": words.seek } });
    seek.addEventListener("input", () => this.#showFrame(Number(seek.value)));
    const counter = made("output");
    const smaller = made("span"); // how large the film is, where that is not as large as the clips
    const modes = MODES.map((mode, index) => button(words[mode], `${index + 1}`, () => this.setMode(mode)));
    this.#parts = { play, sound, seek, counter, smaller, ...Object.fromEntries(MODES.map((mode, i) => [mode, modes[i]])) };
    this.element = made(
      "div",
      { className: "reelpatch-compare", attributes: { role: "group", "aria-label": words.title } },
      made("div", { className: "stage" }, this.#video, this.#canvas, this.#message),
      made("div", { className: "bar" }, play, seek, counter, sound),
      made("div", { className: "bar modes" }, ...modes, smaller),
    );
  }

  #listenToVideo() {
    const video = this.#video;
    video.addEventListener("play", () => {
      relabel(this.#parts.play, "pause", this.#words.pause);
      this.#follow();
    });
    video.addEventListener("pause", () => {
      relabel(this.#parts.play, "play", this.#words.play);
      this.#draw();
    });
    video.addEventListener("seeked", () => {
      this.#draw();
      this.#awaited = null;
    });
    video.addEventListener("loadeddata", () => {
      this.#message.hidden = true;
      this.#draw();
      this.#toggle();
    });
    video.addEventListener("error", () => {
      if (!this.#film) return; // it was taken away
      this.#say(this.#words.broken);
    });
  }

  #say(text) {
    this.#message.textContent = text;
    this.#message.hidden = false;
  }

  #listenToPointer() {
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => {
      if (this.#mode !== "wipe" || event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.#dragLine(this.#shareAt(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.#mode === "wipe" && canvas.hasPointerCapture(event.pointerId)) this.#dragLine(this.#shareAt(event));
    });
    // The graph must not move the node or itself while the player is used.
    for (const kind of ["pointerdown", "pointermove", "pointerup", "mousedown", "touchstart", "dblclick"])
      this.element.addEventListener(kind, (event) => event.stopPropagation());
  }

  #onKey(event) {
    const actions = {
      " ": () => this.#toggle(),
      ArrowLeft: () => this.#dragLine(this.#share - SHARE_OF_KEY),
      ArrowRight: () => this.#dragLine(this.#share + SHARE_OF_KEY),
      Home: () => this.#dragLine(0),
      End: () => this.#dragLine(1),
      ",": () => this.#showFrame(this.#frame() - 1),
      ".": () => this.#showFrame(this.#frame() + 1),
      1: () => this.setMode("wipe"),
      2: () => this.setMode("side"),
      3: () => this.setMode("difference"),
      m: () => this.#toggleSound(),
    };
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in actions)) return;
    event.stopPropagation(); // the page has uses of its own for most of these
    const isButton = event.target.tagName === "BUTTON" && event.key === " ";
    const isSlider = event.target === this.#parts.seek && /^(Arrow|Home|End)/.test(event.key);
    if (isButton || isSlider) return; // the browser does it
    event.preventDefault();
    actions[event.key]();
  }

  #isReady() {
    return Boolean(this.#film) && this.#video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
  }

  /** The frame that is shown, or about to be. */
  #frame() {
    if (!this.#film) return 0;
    const shown = Math.floor(this.#video.currentTime * this.#film.fps);
    return this.#awaited ?? Math.min(this.#film.frames - 1, shown);
  }

  #showFrame(index) {
    if (!this.#film) return;
    this.#video.pause();
    this.#awaited = Math.min(this.#film.frames - 1, Math.max(0, index));
    this.#video.currentTime = (this.#awaited + 0.5) / this.#film.fps; // its middle, so that rounding shows no other
  }

  #draw() {
    if (!this.#isReady()) return;
    this.#placeLine();
    const shown = { mode: this.#mode, share: this.#share, names: this.#words.names };
    drawPicture(this.#canvas, this.#video, this.#film, shown);
    const frame = this.#frame();
    this.#parts.seek.value = frame;
    this.#parts.counter.textContent = `${frame + 1} / ${this.#film.frames}`;
  }

  /** Draws each frame as it comes, as long as the film plays. */
  #follow() {
    this.#draw();
    if (this.#video.paused) return;
    const next = () => this.#follow();
    if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(next);
    else requestAnimationFrame(next);
  }

  #toggle() {
    if (!this.#film) return;
    if (this.#video.paused) this.#video.play().catch(() => {}); // a browser may refuse; then it stays paused
    else this.#video.pause();
  }

  #toggleSound() {
    const isMuted = !this.#video.muted;
    this.#video.muted = isMuted;
    relabel(this.#parts.sound, isMuted ? "muted" : "sounding", isMuted ? this.#words.unmute : this.#words.mute);
  }

  /** Lays the line through what changed, at the first frame that is seen to have changed. */
  #placeLine() {
    const middle = this.#isPlaced ? null : middleOfChange(this.#video, this.#film);
    if (middle === null) return;
    this.#isPlaced = true;
    this.#layLine(middle);
  }

  /** A person moves the line; there it stays, with later films too. */
  #dragLine(share) {
    this.#isPlaced = this.#isMoved = true;
    this.#layLine(share);
    this.#draw();
  }

  #layLine(share) {
    this.#share = Math.min(1, Math.max(0, share));
    this.#canvas.setAttribute("aria-valuenow", Math.round(this.#share * 100));
  }

  /** Where on the picture a pointer is, from 0 at its left to 1 at its right. */
  #shareAt(event) {
    const box = this.#canvas.getBoundingClientRect();
    // The picture lies in the middle of the canvas's box, as large as fits.
    const shown = Math.min(box.width, (box.height * this.#canvas.width) / this.#canvas.height);
    return (event.clientX - box.left - (box.width - shown) / 2) / shown;
  }
}
