// New regions, from points in pixels of the source, and copies of others.

import { drawnBounds, roundedOff } from "./motion.js";
import { lengthOf, scaleOf } from "./outlines.js";

const APART = 0.03; // of the frame, that a copy lies beside its original

/** A region of a kind: box and ellipse from two corners, polygon and stroke from all of their points. */
export function newRegion(kind, points, { track, clip, brush }) {
  if (kind === "whole") return { shape: { kind } };
  const scale = scaleOf(track, clip);
  const units = (point) => roundedOff(point.map((value, axis) => value / scale[axis]));
  if (kind === "polygon") return { shape: { kind, points: points.map(units) } };
  if (kind === "stroke") {
    const width = brush * (Math.min(clip.width, clip.height) / lengthOf(track, clip));
    return { shape: { kind, points: points.map(units), width: roundedOff(width) } };
  }
  const [one, other] = points;
  const centre = units(one.map((value, axis) => (value + other[axis]) / 2));
  return { shape: { kind, centre, size: units(one.map((value, axis) => Math.abs(value - other[axis]))) } };
}

/** A region of a kind in the middle of the picture, for those who draw without a pointer. */
export function middleRegion(kind, state) {
  const { width, height } = state.clip;
  const at = (across, down) => [across * width, down * height];
  const points = {
    polygon: [at(0.5, 0.3), at(0.7, 0.5), at(0.5, 0.7), at(0.3, 0.5)],
    stroke: [at(0.35, 0.5), at(0.65, 0.5)],
  }[kind];
  return newRegion(kind, points ?? [at(0.35, 0.35), at(0.65, 0.65)], state);
}

/** A copy of a region, a little beside it where it can be moved at all. */
export function beside(region, { track, clip }) {
  const copy = structuredClone(region);
  if (!drawnBounds(region)) return copy;
  const scale = scaleOf(track, clip);
  const way = [(APART * clip.width) / scale[0], (APART * clip.height) / scale[1]];
  const moved = (point) => roundedOff(point.map((value, axis) => value + way[axis]));
  if (copy.shape.centre) copy.shape.centre = moved(copy.shape.centre);
  if (copy.shape.points) copy.shape.points = copy.shape.points.map(moved);
  for (const key of copy.keyframes ?? []) if (key.position) key.position = moved(key.position);
  return copy;
}
