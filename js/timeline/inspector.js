// The fields of the selected region that neither the picture nor the timeline shows.

import { made } from "../elements.js";
import { RAMPS, withRamp } from "./envelope.js";
import { keyAt, placedAt, withKey } from "./motion.js";
import { lengthOf } from "./outlines.js";

const EASES = ["linear", "smooth", "hold"];
const MODES = ["add", "subtract"];
const MOST_STEADY = 16; // frames each way
const MOST_REACH = 512; // of growing and feathering, in pixels or in shares of the frame: the server says what is too far

export class Inspector {
  #act;
  #state = null;
  #fields = {};

  /** `act`: change(track, {selected}), brush(share). */
  constructor(words, act) {
    this.#act = act;
    const region = (change) => (value) => this.#change(change(this.#region, value));
    const number = (min, max, step) => ({ type: "number", min, max, step });
    this.#add(
      "name",
      words.name,
      made("input", { type: "text", maxLength: 200 }),
      region((one, name) => ({ ...one, name: name || undefined })),
    );
    this.#add(
      "mode",
      words.mode,
      chooser(MODES, words.modes),
      region((one, mode) => ({ ...one, mode: mode === "add" ? undefined : mode })),
    );
    this.#add(
      "rampIn",
      words.rampIn,
      chooser(RAMPS, words.ramps),
      region((one, kind) => this.#ramped(one, "in", kind)),
    );
    this.#add(
      "rampOut",
      words.rampOut,
      chooser(RAMPS, words.ramps),
      region((one, kind) => this.#ramped(one, "out", kind)),
    );
    this.#add(
      "direction",
      words.direction,
      made("input", number(-360, 360, 15)),
      region((one, value) => directed(one, Number(value))),
    );
    this.#add(
      "rotation",
      words.rotation,
      made("input", number(-36000, 36000, 1)),
      region((one, value) => this.#keyed(one, { rotation: Number(value) })),
    );
    this.#add(
      "value",
      words.value,
      made("input", number(0, 1, 0.05)),
      region((one, value) => this.#keyed(one, { value: Number(value) })),
    );
    this.#add(
      "feather",
      words.feather,
      made("input", number(0, 1000, 0.005)),
      region((one, value) => this.#keyed(one, { feather: Number(value) })),
    );
    this.#add(
      "ease",
      words.ease,
      chooser(EASES, words.eases),
      region((one, ease) => this.#keyed(one, { ease: ease === "linear" ? undefined : ease })),
    );
    const whole = (name) => (value) => this.#changeAll({ [name]: Number(value) || undefined });
    this.#add("steady", words.steady, made("input", number(0, MOST_STEADY, 1)), whole("smooth_frames"));
    this.#add("growAll", words.growAll, made("input", number(-MOST_REACH, MOST_REACH, "any")), whole("grow"));
    this.#add("featherAll", words.featherAll, made("input", number(0, MOST_REACH, "any")), whole("feather"));
    this.#add("brush", words.brush, made("input", number(0.005, 1, 0.005)), (value) => this.#brush(Number(value)));
    this.element = made("div", { className: "inspector" }, ...Object.values(this.#fields).map((field) => field.label));
  }

  show(state) {
    this.#state = state;
    const region = this.#region;
    const { frame, clip, track, brush } = state;
    const ramps = [region?.envelope?.ramp_in, region?.envelope?.ramp_out];
    const wipe = ramps.find((ramp) => ramp?.kind === "wipe");
    const placed = region && placedAt(region, frame, clip, track.times);
    const key = region && region.keyframes?.[keyAt(region, frame, clip, track.times)];
    const isStroke = state.tool === "stroke" || region?.shape.kind === "stroke";
    const width =
      region?.shape.kind === "stroke"
        ? region.shape.width * (lengthOf(track, clip) / Math.min(clip.width, clip.height))
        : brush;
    this.#put("name", region?.name ?? "", region);
    this.#put("mode", region?.mode ?? "add", region);
    this.#put("rampIn", ramps[0]?.kind ?? "none", region);
    this.#put("rampOut", ramps[1]?.kind ?? "none", region);
    this.#put("direction", wipe?.direction ?? 0, wipe);
    this.#put("rotation", Number((placed?.rotation ?? 0).toFixed(1)), region && region.shape.kind !== "whole");
    this.#put("value", rounded(placed?.value ?? 1), region);
    this.#put("feather", rounded(placed?.feather ?? 0), region);
    this.#put("ease", key?.ease ?? "linear", key);
    this.#put("brush", rounded(width), isStroke);
    const isAll = track && !region;
    this.#put("steady", track?.smooth_frames ?? 0, isAll);
    this.#put("growAll", track?.grow ?? 0, isAll);
    this.#put("featherAll", track?.feather ?? 0, isAll);
  }

  get #region() {
    return this.#state?.track?.regions[this.#state.selected];
  }

  #add(name, title, input, onChange) {
    const label = made("label", {}, made("span", { textContent: title }), input);
    input.addEventListener("change", () => {
      const isGiven = input.value !== "" || input.type === "text";
      if (isGiven && input.validity.valid) onChange(input.value);
      else this.show(this.#state);
    });
    this.#fields[name] = { label, input };
  }

  /** Gives a field its value, and shows it where it has a meaning. */
  #put(name, value, isShown) {
    const { label, input } = this.#fields[name];
    label.hidden = !isShown;
    if (document.activeElement !== input || input.tagName === "SELECT") input.value = value;
  }

  #change(region) {
    const { track, selected } = this.#state;
    this.#act.change({ ...track, regions: track.regions.with(selected, region) }, { selected });
  }

  /** What is done to all regions together. */
  #changeAll(changes) {
    this.#act.change({ ...this.#state.track, ...changes });
  }

  #keyed(region, changes) {
    const { frame, clip, track } = this.#state;
    return withKey(region, changes, frame, clip, track.times);
  }

  #ramped(region, end, kind) {
    const { clip, track } = this.#state;
    const middle = track.units === "fractions" ? [0.5, 0.5] : [clip.width / 2, clip.height / 2];
    return withRamp(region, end, kind, clip, track.times, middle);
  }

  #brush(share) {
    const { track, clip } = this.#state;
    this.#act.brush(share);
    if (this.#region?.shape.kind !== "stroke") return;
    const width = share * (Math.min(clip.width, clip.height) / lengthOf(track, clip));
    this.#change({ ...this.#region, shape: { ...this.#region.shape, width } });
  }
}

/** Every wipe of the region in a direction. */
function directed(region, direction) {
  const envelope = Object.entries(region.envelope).map(([name, one]) => [
    name,
    one?.kind === "wipe" ? { ...one, direction } : one,
  ]);
  return { ...region, envelope: Object.fromEntries(envelope) };
}

function chooser(values, names) {
  return made("select", {}, ...values.map((value) => made("option", { value, textContent: names[value] })));
}

function rounded(value) {
  return Number(value.toFixed(4));
}
