// When a region is there: its start and end with their ramps, in frames, and how they are moved.

import { drawnBounds } from "./motion.js";
import { frameAt, rateOf, timeOf } from "./times.js";

export const RAMPS = ["none", "linear", "smooth", "wipe", "grow", "dissolve"];
const ENDS = { in: { moment: "start", ramp: "ramp_in" }, out: { moment: "end", ramp: "ramp_out" } };

/** {start, full, fading, end} in frames; start and end are those of the clip where the track names none. */
export function spanOf(region, clip, times) {
  const { start, end, ramp_in: coming, ramp_out: going } = region.envelope ?? {};
  const frames = (time) => frameAt(time, clip, times);
  const first = start === undefined ? 0 : frames(start);
  const last = end === undefined ? clip.frames : frames(end);
  return {
    start: first,
    full: first + (coming ? frames(coming.length) : 0),
    fading: last - (going ? frames(going.length) : 0),
    end: last,
  };
}

/** The region with one of start, full, fading and end at another frame; a ramp keeps its length where its end moves. */
export function withMoment(region, name, frame, clip, times) {
  const span = spanOf(region, clip, times);
  const envelope = { ...region.envelope };
  const time = (frames) => timeOf(frames, clip, times);
  if (name === "start") envelope.start = time(Math.min(frame, span.end - 1));
  if (name === "end") envelope.end = time(Math.max(frame, span.start + 1));
  if (name === "full") {
    envelope.start ??= 0;
    envelope.ramp_in = ramped(envelope.ramp_in, time(Math.max(0, frame - span.start)));
  }
  if (name === "fading") {
    envelope.end ??= time(clip.frames);
    envelope.ramp_out = ramped(envelope.ramp_out, time(Math.max(0, span.end - frame)));
  }
  return enveloped(region, envelope);
}

/** A ramp of a length, of its kind or linear; none where it has no length. */
function ramped(ramp, length) {
  return length === 0 ? undefined : { ...(ramp ?? { kind: "linear" }), length };
}

/**
 * The region with another kind of ramp at one end ("in" or "out"); a new one lasts half a second.
 * What grows without a place of its own grows from `middle`.
 */
export function withRamp(region, end, kind, clip, times, middle) {
  const { moment, ramp } = ENDS[end];
  const envelope = { ...region.envelope };
  if (kind === "none") delete envelope[ramp];
  else {
    envelope[moment] ??= end === "in" ? 0 : timeOf(clip.frames, clip, times);
    const length = envelope[ramp]?.length ?? timeOf(Math.max(1, Math.round(rateOf(clip) / 2)), clip, times);
    const point = drawnBounds(region)?.position ?? middle;
    const more = { wipe: { direction: 0 }, grow: { point }, dissolve: { seed: 0 } }[kind];
    envelope[ramp] = { kind, length, ...more };
  }
  return enveloped(region, envelope);
}

/** The region without a start or an end, and without its ramp. */
export function withoutMoment(region, end) {
  const envelope = { ...region.envelope };
  delete envelope[ENDS[end].moment];
  delete envelope[ENDS[end].ramp];
  return enveloped(region, envelope);
}

function enveloped(region, envelope) {
  const isEmpty = Object.values(envelope).every((one) => one === undefined);
  return { ...region, envelope: isEmpty ? undefined : envelope };
}
