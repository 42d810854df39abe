// What a pointer does to a track while it is held: each gesture gives the track for where the pointer is now.
// Points are in pixels of the source.

import { withCorner, withCornerAfter } from "./corners.js";
import { withPlace } from "./motion.js";
import { dragged, outlineAt, scaleOf } from "./outlines.js";
import { newRegion } from "./regions.js";

const SMALLEST_PX = 2; // of what is drawn; less is a click
const MOST_POINTS = 1024;

/** Draws a box or an ellipse from one corner to the other, or a stroke along the way. */
export function drawing(state, kind, from, nearest) {
  const points = [from];
  return (point, keeps) => {
    if (kind === "stroke") {
      const last = points.at(-1);
      if (Math.hypot(point[0] - last[0], point[1] - last[1]) >= nearest && points.length < MOST_POINTS)
        points.push(point);
      return withNew(state, newRegion(kind, points, state));
    }
    const [x, y] = keeps ? squared(from, point) : point;
    if (Math.abs(x - from[0]) < SMALLEST_PX || Math.abs(y - from[1]) < SMALLEST_PX) return null;
    return withNew(state, newRegion(kind, [from, [x, y]], state));
  };
}

/** Moves the selected region by as much as the pointer. */
export function moving(state, from) {
  const { track, clip, selected, frame } = state;
  const outline = outlineAt(track.regions[selected], frame, track, clip);
  return (point, keeps) => {
    const way = point.map((value, axis) => value - from[axis]);
    if (keeps) way[Math.abs(way[0]) < Math.abs(way[1]) ? 0 : 1] = 0;
    return placed(state, { centre: outline.centre.map((value, axis) => value + way[axis]) });
  };
}

/** Resizes or turns the selected region by one of its handles. */
export function handling(state, handle) {
  const { track, clip, selected, frame } = state;
  const outline = outlineAt(track.regions[selected], frame, track, clip);
  return (point, keeps) => placed(state, dragged(outline, handle, point, keeps));
}

/** Moves one point of the selected region. */
export function bending(state, corner) {
  return (point) => withCorner(state, corner, point);
}

/** Puts a point in after another one, and moves it. */
export function adding(state, after) {
  return (point) => withCornerAfter(state, after, point);
}

/** The track with the selected region at a centre, of a size or at an angle, in pixels and degrees. */
export function placed({ track, clip, selected, frame }, { centre, size, rotation }) {
  const scale = scaleOf(track, clip);
  const units = (pixels) => pixels.map((value, axis) => value / scale[axis]);
  const changes = {};
  if (centre) changes.position = units(centre);
  if (size) changes.size = units(size);
  if (rotation !== undefined) changes.rotation = rotation;
  const region = withPlace(track.regions[selected], changes, frame, clip, track.times);
  return { ...track, regions: track.regions.with(selected, region) };
}

/** The track with one region more. */
export function withNew({ track }, region) {
  return { ...track, regions: [...track.regions, region] };
}

function squared(from, [x, y]) {
  const side = Math.max(Math.abs(x - from[0]), Math.abs(y - from[1]));
  return [from[0] + Math.sign(x - from[0]) * side, from[1] + Math.sign(y - from[1]) * side];
}
