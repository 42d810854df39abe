// The rows of buttons: tools and changes above the picture, playing below it.

import { made, relabel, signed } from "../elements.js";
import { hasCorners } from "./corners.js";

export const TOOLS = ["select", "corners", "box", "ellipse", "polygon", "stroke"];

export class Toolbar {
  #buttons = {};

  /** `run(action, ...given)` does what a button says. */
  constructor(words, run) {
    const tools = TOOLS.map((name) => this.#button(name, words.tools[name], () => run("tool", name)));
    const whole = this.#button("whole", words.tools.whole, () => run("whole"));
    const changes = ["undo", "redo", "copy", "paste", "remove"].map((name) =>
      this.#button(name, words[name], () => run(name)),
    );
    const looks = [
      this.#button("closerPicture", words.closerPicture, () => run("look", 1.5)),
      this.#button("wholePicture", words.wholePicture, () => run("look", 0)),
    ];
    const text = this.#button("text", words.text, () => run("text"));
    const group = (...buttons) => made("div", { className: "group", attributes: { role: "group" } }, ...buttons);
    const attributes = { role: "toolbar", "aria-label": words.title };
    this.element = made(
      "div",
      { className: "bar", attributes },
      group(...tools, whole),
      group(...changes),
      group(...looks, text),
    );
  }

  show({ tool, selected, canUndo, canRedo, canPaste, isText, track }) {
    for (const name of TOOLS) this.#buttons[name].setAttribute("aria-pressed", name === tool);
    this.#buttons.text.setAttribute("aria-pressed", isText);
    const able = { undo: canUndo, redo: canRedo, copy: selected >= 0, remove: selected >= 0, paste: canPaste };
    for (const name of [...TOOLS, "whole"]) able[name] = Boolean(track) && !isText;
    able.corners &&= hasCorners(track.regions[selected]);
    able.closerPicture = able.wholePicture = !isText;
    for (const [name, isAble] of Object.entries(able)) this.#buttons[name].disabled = !isAble;
  }

  #button(name, title, onClick) {
    this.#buttons[name] = signed(name, title, onClick);
    this.#buttons[name].dataset.action = name;
    return this.#buttons[name];
  }
}

export class Transport {
  #words;
  #play;
  #key;
  #counter = made("output");

  constructor(words, run) {
    this.#words = words;
    const named = (name, title, ...action) => {
      const made_ = signed(name, title, () => run(...action));
      made_.dataset.action = action.join(" ");
      return made_;
    };
    this.#play = named("play", words.play, "toggle");
    this.#key = named("keyframe", words.addKey, "key");
    const moves = [named("back", words.back, "step", -1), this.#play, named("forward", words.forward, "step", 1)];
    const zooms = [named("farther", words.farther, "zoom", false), named("closer", words.closer, "zoom", true)];
    this.element = made(
      "div",
      { className: "bar" },
      ...moves,
      this.#counter,
      made("span", { className: "space" }),
      this.#key,
      ...zooms,
    );
  }

  show({ frame, clip, isPlaying, rate, hasKey, selected }) {
    relabel(this.#play, isPlaying ? "pause" : "play", isPlaying ? this.#words.pause : this.#words.play);
    const title = hasKey ? this.#words.removeKey : this.#words.addKey;
    Object.assign(this.#key, { disabled: selected < 0, title, ariaLabel: title });
    this.#key.classList.toggle("here", hasKey);
    this.#counter.textContent = `${frame + 1} / ${clip.frames} · ${(frame / rate).toFixed(2)} s`;
  }
}
