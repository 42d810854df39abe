// Where a region is at a frame, for handles and outlines (masks are the server's), and how it is put elsewhere.
// Places and sizes are in the units of the track, as in its JSON.

import { frameAt, momentOf, numberOf, timeOf } from "./times.js";

export const ANIMATED = ["position", "size", "rotation", "value", "feather"];
const SAME_FRAME = 0.01; // of a frame, which no rate's rounding reaches
const DIGITS = 5; // a hundred thousandth of a frame is less than a pixel of any film

/** Centre and size of what was drawn; null for what has neither. */
export function drawnBounds({ shape }) {
  if (shape.centre) return { position: shape.centre, size: shape.size };
  if (!shape.points?.length) return null;
  const [low, high] = [Math.min, Math.max].map((end) =>
    [0, 1].map((axis) => end(...shape.points.map((one) => one[axis]))),
  );
  return { position: low.map((one, axis) => (one + high[axis]) / 2), size: low.map((one, axis) => high[axis] - one) };
}

/** What the region's keyframes and shape say of a frame. */
export function placedAt(region, frame, clip, times) {
  const placed = { ...drawnBounds(region), rotation: 0, value: 1, feather: 0 };
  const moment = momentOf(frame, clip, times);
  for (const name of ANIMATED) {
    const found = propertyAt(region.keyframes ?? [], name, moment);
    if (found !== undefined) placed[name] = found;
  }
  return placed;
}

function propertyAt(keyframes, name, moment) {
  const keys = keyframes.filter((key) => key[name] !== undefined);
  if (!keys.length) return undefined;
  const next = keys.findIndex((key) => numberOf(key.at) > moment);
  if (next === 0) return keys[0][name];
  if (next < 0) return keys.at(-1)[name];
  const [one, other] = [keys[next - 1], keys[next]];
  if (one.ease === "hold") return one[name];
  const part = (moment - numberOf(one.at)) / (numberOf(other.at) - numberOf(one.at));
  return between(one[name], other[name], one.ease === "smooth" ? part * part * (3 - 2 * part) : part);
}

function between(one, other, part) {
  if (Array.isArray(one)) return one.map((value, axis) => between(value, other[axis], part));
  return one + (other - one) * part;
}

/** The place of the keyframe at a frame, or -1. */
export function keyAt(region, frame, clip, times) {
  return (region.keyframes ?? []).findIndex((key) => Math.abs(frameAt(key.at, clip, times) - frame) < SAME_FRAME);
}

/** The region with a keyframe at a frame that says these things too. */
export function withKey(region, changes, frame, clip, times) {
  const keyframes = [...(region.keyframes ?? [])];
  const index = keyAt(region, frame, clip, times);
  if (index >= 0) keyframes[index] = { ...keyframes[index], ...changes };
  else keyframes.push({ at: timeOf(frame, clip, times), ...changes });
  return { ...region, keyframes: keyframes.toSorted((one, other) => numberOf(one.at) - numberOf(other.at)) };
}

/** The region without one of its keyframes. */
export function withoutKey(region, index) {
  const keyframes = region.keyframes.filter((_, place) => place !== index);
  return { ...region, keyframes: keyframes.length ? keyframes : undefined };
}

/** The region with a keyframe at another frame, unless one is there. */
export function withKeyMoved(region, index, frame, clip, times) {
  if (keyAt(region, frame, clip, times) >= 0) return region;
  const { at: _, ...said } = region.keyframes[index];
  return withKey(
    { ...region, keyframes: region.keyframes.filter((__, place) => place !== index) },
    said,
    frame,
    clip,
    times,
  );
}

/** The region moved, resized or turned at a frame: as drawn while nothing moves it, else by a keyframe there. */
export function withPlace(region, changes, frame, clip, times) {
  const rounded = Object.fromEntries(Object.entries(changes).map(([name, value]) => [name, roundedOff(value)]));
  const isStill = !region.keyframes?.length && rounded.rotation === undefined;
  return isStill ? redrawn(region, rounded) : withKey(region, rounded, frame, clip, times);
}

export function roundedOff(value) {
  return Array.isArray(value) ? value.map(roundedOff) : Number(value.toFixed(DIGITS));
}

function redrawn(region, { position, size }) {
  const { shape } = region;
  const old = drawnBounds(region);
  if (!old) return region;
  const now = { position: position ?? old.position, size: size ?? old.size };
  if (shape.centre) return { ...region, shape: { ...shape, centre: now.position, size: now.size } };
  const moved = (value, axis) => {
    const scale = old.size[axis] ? now.size[axis] / old.size[axis] : 1;
    return now.position[axis] + (value - old.position[axis]) * scale;
  };
  return { ...region, shape: { ...shape, points: shape.points.map((one) => roundedOff(one.map(moved))) } };
}
