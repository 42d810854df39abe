// The outline of a region at a frame in pixels of the source, and where its handles lie.

import { drawnBounds, placedAt } from "./motion.js";

/** How places of a track become pixels: [across, down]. */
export function scaleOf(track, clip) {
  return track.units === "fractions" ? [clip.width, clip.height] : [1, 1];
}

/** How lengths without a direction become pixels. */
export function lengthOf(track, clip) {
  return track.units === "fractions" ? Math.min(clip.width, clip.height) : 1;
}

/** {kind, centre, size, rotation, points} in pixels and degrees; null for what has no place of its own. */
export function outlineAt(region, frame, track, clip) {
  const bounds = drawnBounds(region);
  if (!bounds) return null;
  const scale = scaleOf(track, clip);
  const pixels = (point) => point.map((value, axis) => value * scale[axis]);
  const placed = placedAt(region, frame, clip, track.times);
  const [centre, size, old, oldSize] = [placed.position, placed.size, bounds.position, bounds.size].map(pixels);
  const outline = { kind: region.shape.kind, centre, size, rotation: placed.rotation };
  const corners = [
    [-0.5, -0.5],
    [0.5, -0.5],
    [0.5, 0.5],
    [-0.5, 0.5],
  ].map((one) => one.map((part, axis) => part * size[axis]));
  const around = region.shape.points?.map((point) =>
    pixels(point).map((value, axis) => (value - old[axis]) * (oldSize[axis] ? size[axis] / oldSize[axis] : 1)),
  );
  const brush = region.shape.kind === "stroke" ? region.shape.width * lengthOf(track, clip) : 0;
  return { ...outline, brush, points: (around ?? corners).map((one) => turned(one, placed.rotation, centre)) };
}

/** A place relative to a centre, turned clockwise around it. */
export function turned([x, y], degrees, [left, top] = [0, 0]) {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return [left + x * cos - y * sin, top + x * sin + y * cos];
}

const SIDES = { nw: [-1, -1], n: [0, -1], ne: [1, -1], e: [1, 0], se: [1, 1], s: [0, 1], sw: [-1, 1], w: [-1, 0] };

/** Where the handles of an outline lie: {name: [x, y]}; `turn` is `away` above its upper side. */
export function handlesOf(outline, away) {
  const at = ([across, down]) => [(across * outline.size[0]) / 2, (down * outline.size[1]) / 2];
  const handles = Object.entries(SIDES).map(([name, side]) => [
    name,
    turned(at(side), outline.rotation, outline.centre),
  ]);
  const turn = turned([0, -outline.size[1] / 2 - away], outline.rotation, outline.centre);
  return Object.fromEntries([...handles, ["turn", turn]]);
}

/** What a dragged handle makes of an outline: centre and size, or rotation. `keeps` keeps its proportions, or steps of 15 degrees. */
export function dragged(outline, handle, [x, y], keeps) {
  const { centre, size, rotation } = outline;
  if (handle === "turn") {
    const degrees = (Math.atan2(x - centre[0], centre[1] - y) * 180) / Math.PI;
    // The turn that is nearest to the one before, so that it can go around more than once.
    const near = degrees + 360 * Math.round((rotation - degrees) / 360);
    return { rotation: keeps ? Math.round(near / 15) * 15 : near };
  }
  const side = SIDES[handle];
  const fixed = side.map((one, axis) => (-one * size[axis]) / 2);
  const local = turned([x - centre[0], y - centre[1]], -rotation);
  let now = side.map((one, axis) => (one ? Math.max(1, (local[axis] - fixed[axis]) * one) : size[axis]));
  if (keeps && side[0] && side[1]) {
    const share = Math.max(now[0] / size[0], now[1] / size[1]);
    now = size.map((one) => one * share);
  }
  const middle = side.map((one, axis) => (one ? fixed[axis] + (one * now[axis]) / 2 : 0));
  return { size: now, centre: turned(middle, rotation, centre) };
}
