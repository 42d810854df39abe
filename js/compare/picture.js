// Draws one moment of a comparison from a film that holds both clips.
// A film is {width, height, source: [width, height], after: [left, top], frames, fps}: before lies at its origin, after
// where `after` says; `source` is how large the clips were.

const GAP_PX = 4; // between the clips when side by side
const SMALLEST_TEXT_PX = 9;

/** How large a picture of this mode is, [width, height]. */
export function pictureSize(film, mode) {
  return mode === "side" ? [2 * film.width + GAP_PX, film.height] : [film.width, film.height];
}

/** Draws before on the left of `share` of the width and after on its right, or both, or what differs, four times. */
export function drawPicture(canvas, video, film, { mode, share, names }) {
  const size = pictureSize(film, mode);
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const context = canvas.getContext("2d");
  context.globalCompositeOperation = "source-over";
  context.fillStyle = "#000";
  context.fillRect(0, 0, ...size);
  if (mode === "side") {
    put(context, video, film, [0, 0], 0, [0, film.width]);
    put(context, video, film, film.after, film.width + GAP_PX, [0, film.width]);
  } else if (mode === "difference") {
    drawDifference(context, video, film);
  } else {
    const at = Math.round(share * film.width);
    put(context, video, film, [0, 0], 0, [0, at]);
    put(context, video, film, film.after, 0, [at, film.width]);
    drawLine(context, film, at);
  }
  if (mode !== "difference") drawNames(context, size, names, mode === "side" ? [true, true] : [share > 0.1, share < 0.9]);
}

/** The columns from `first` to `last` of the clip at `from`, on a picture whose left edge is at `left`. */
function put(context, video, film, from, left, [first, last]) {
  const width = last - first;
  if (width <= 0) return;
  context.drawImage(video, from[0] + first, from[1], width, film.height, left + first, 0, width, film.height);
}

function drawDifference(context, video, film) {
  put(context, video, film, [0, 0], 0, [0, film.width]);
  context.globalCompositeOperation = "difference";
  put(context, video, film, film.after, 0, [0, film.width]);
  // Twice as bright, twice: what is added is the picture itself.
  context.globalCompositeOperation = "lighter";
  for (let time = 0; time < 2; time += 1) context.drawImage(context.canvas, 0, 0);
}

function drawLine(context, { width, height }, at) {
  const longest = Math.max(width, height);
  const thick = Math.max(1, Math.round(longest / 300));
  context.fillStyle = "#fff";
  context.fillRect(at - thick / 2, 0, thick, height);
  context.beginPath();
  context.arc(at, height / 2, Math.max(2.5, longest / 60), 0, 2 * Math.PI);
  context.fill();
}

/** Names in the upper corners, where they have room. */
function drawNames(context, [width, height], names, isShown) {
  const size = Math.round(Math.min(width, height) / 16);
  if (size < SMALLEST_TEXT_PX) return;
  context.font = `${size}px sans-serif`;
  context.textBaseline = "top";
  context.shadowColor = "#000";
  context.shadowBlur = size / 3;
  context.fillStyle = "#fff";
  for (const [index, align, left] of [[0, "left", size / 2], [1, "right", width - size / 2]]) {
    context.textAlign = align;
    if (isShown[index]) context.fillText(names[index], left, size / 2);
  }
  context.shadowBlur = 0;
}
