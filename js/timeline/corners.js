// The points of a polygon or a stroke, one by one: moved, added and taken away, wherever keyframes have put the region.
// Points are in pixels of the source, as they are seen at the playhead.

import { drawnBounds, placedAt, roundedOff } from "./motion.js";
import { frameAt } from "./times.js";
import { scaleOf, turned } from "./outlines.js";

const FEWEST = { polygon: 3, stroke: 2 };
const MOST_POINTS = 1024;

/** Whether a region is drawn by points. */
export function hasCorners(region) {
  return region?.shape.kind in FEWEST;
}

/** The places between neighbouring points, where another one can be put in: {after, at}. */
export function placesBetween({ kind, points }) {
  const pairs = points.slice(0, kind === "polygon" ? points.length : -1);
  return pairs.map((one, after) => {
    const other = points[(after + 1) % points.length];
    return { after, at: one.map((value, axis) => (value + other[axis]) / 2) };
  });
}

/** The track with a point of the selected region elsewhere. */
export function withCorner(state, index, at) {
  return repointed(state, (points) => points.with(index, drawnAt(state, at)));
}

/** The track with one point more, after another; null where a region holds no more. */
export function withCornerAfter(state, after, at) {
  if (regionOf(state).shape.points.length >= MOST_POINTS) return null;
  return repointed(state, (points) => points.toSpliced(after + 1, 0, drawnAt(state, at)));
}

/** The track without a point; null where so few are left that nothing could be drawn. */
export function withoutCorner(state, index) {
  const { shape } = regionOf(state);
  if (shape.points.length <= FEWEST[shape.kind]) return null;
  return repointed(state, (points) => points.toSpliced(index, 1));
}

function regionOf({ track, selected }) {
  return track.regions[selected];
}

/** What is drawn of a region at a frame, in pixels: its box as drawn, how much it is stretched, and its angle. */
function layout({ track, clip, selected }, frame) {
  const pixels = (pair) => pair.map((value, axis) => value * scaleOf(track, clip)[axis]);
  const region = track.regions[selected];
  const drawn = drawnBounds(region);
  const { position, size, rotation } = placedAt(region, frame, clip, track.times);
  const stretch = size.map((value, axis) => (drawn.size[axis] ? value / drawn.size[axis] : 1));
  return { drawn: pixels(drawn.position), centre: pixels(position), stretch, rotation };
}

/** The point of the drawing that is seen at a place. */
function drawnAt(state, at) {
  const { drawn, centre, stretch, rotation } = layout(state, state.frame);
  const local = turned([at[0] - centre[0], at[1] - centre[1]], -rotation);
  const scale = scaleOf(state.track, state.clip);
  return local.map((value, axis) => (drawn[axis] + value / (stretch[axis] || 1)) / scale[axis]);
}

/**
 * The track with other points. Their box is another one, so that what is said of it, its place and its size, is said anew
 * wherever a keyframe says it: every other point stays where it was seen.
 */
function repointed(state, change) {
  const { track, selected, clip, frame } = state;
  const region = regionOf(state);
  const shape = { ...region.shape, points: change(region.shape.points) };
  const [before, after] = [drawnBounds(region), drawnBounds({ shape })];
  const isPlaced = region.keyframes?.some((key) => key.position);
  if (!isPlaced) {
    const way = shiftOf(state, before, after, frame);
    const still = after.position.map((value, axis) => value - before.position[axis]);
    shape.points = shape.points.map((one) => one.map((value, axis) => value + way[axis] - still[axis]));
  }
  shape.points = roundedOff(shape.points);
  const keyframes = region.keyframes?.map((key) => resaid(state, key, before, after));
  const now = keyframes ? { ...region, shape, keyframes } : { ...region, shape };
  return { ...track, regions: track.regions.with(selected, now) };
}

/** How far the centre of the new box is seen from that of the old one at a frame, in units of the track. */
function shiftOf(state, before, after, frame) {
  const { stretch, rotation } = layout(state, frame);
  const scale = scaleOf(state.track, state.clip);
  const way = after.position.map((value, axis) => (value - before.position[axis]) * scale[axis] * stretch[axis]);
  return turned(way, rotation).map((value, axis) => value / scale[axis]);
}

function resaid(state, key, before, after) {
  const { clip, track } = state;
  const said = { ...key };
  if (key.position) {
    const way = shiftOf(state, before, after, frameAt(key.at, clip, track.times));
    said.position = roundedOff(key.position.map((value, axis) => value + way[axis]));
  }
  if (key.size) {
    const grown = (value, axis) => (before.size[axis] ? (value * after.size[axis]) / before.size[axis] : after.size[axis]);
    said.size = roundedOff(key.size.map(grown));
  }
  return said;
}
