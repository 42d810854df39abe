// Frames of a clip and moments of a track: exact both ways.
// A clip is {frames, fps: "24000/1001" or ""}; a track counts in "seconds" or "frames" of it.

const MOST_DECIMALS = 6;

/** [numerator, denominator], whole numbers, of a number or of a text such as "1001/30". */
function fraction(value) {
  const [over, under = "1"] = String(value).split("/");
  const decimals = /e/i.test(over) ? MOST_DECIMALS : (over.split(".")[1]?.length ?? 0);
  const scale = 10 ** decimals;
  return [Math.round(Number(over) * scale), Number(under) * scale];
}

/** Frames per second; a clip without a rate is drawn at 16. */
export function rateOf(clip) {
  const [over, under] = fraction(clip.fps || "16");
  return over / under;
}

/** The frame, with its fractions, at which a moment of the track lies. */
export function frameAt(time, clip, times) {
  const [over, under] = fraction(time);
  if (times === "frames") return over / under;
  const [rate, per] = fraction(clip.fps || "16");
  return (over * rate) / (under * per);
}

/** How many seconds or frames a number of frames lasts, and so the moment of a frame: a number, or a text where none is exact. */
export function timeOf(frames, clip, times) {
  if (times === "frames") return frames;
  const [rate, per] = fraction(clip.fps || "16");
  const [over, under] = reduced(frames * per, rate);
  const near = Number((over / under).toFixed(MOST_DECIMALS));
  return isDecimal(under) && near * under === over ? near : `${over}/${under}`;
}

/** The moment as a number in the track's unit, for interpolation. */
export function momentOf(frame, clip, times) {
  return times === "frames" ? frame : frame / rateOf(clip);
}

/** A time of the track as a number in the track's unit. */
export function numberOf(time) {
  if (typeof time === "number") return time;
  const [over, under] = fraction(time);
  return over / under;
}

function reduced(over, under) {
  let [one, other] = [Math.abs(over), Math.abs(under)];
  while (other) [one, other] = [other, one % other];
  return one ? [over / one, under / one] : [0, 1];
}

/** Whether a fraction with this denominator ends after a few decimals. */
function isDecimal(under) {
  let left = under;
  for (const prime of [2, 5]) while (left % prime === 0) left /= prime;
  return left === 1;
}
