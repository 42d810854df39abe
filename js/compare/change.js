// Where two clips differ, at the moment that a film shows: so that a line through it shows some of it on both sides.

const MOST_PX = 128; // of the picture that is looked at, which is shrunk to it
const SEEN = 48; // of 765, the three colours together: less is what the codec does

/** The share of the width at which half of what differs, by its squares, lies on either side; null where nothing is seen to differ. */
export function middleOfChange(video, film) {
  const scale = Math.min(1, MOST_PX / Math.max(film.width, film.height));
  const [width, height] = [film.width, film.height].map((side) => Math.max(1, Math.round(side * scale)));
  const columns = columnsOf(shrunkDifference(video, film, width, height), width);
  if (!columns) return null;
  const half = columns.reduce((sum, one) => sum + one, 0) / 2;
  let before = 0;
  const at = columns.findIndex((one) => (before += one) >= half);
  return (at + 1 - (before - half) / columns[at]) / width;
}

function shrunkDifference(video, film, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (const [left, top] of [[0, 0], film.after]) {
    context.drawImage(video, left, top, film.width, film.height, 0, 0, width, height);
    context.globalCompositeOperation = "difference";
  }
  return context.getImageData(0, 0, width, height).data;
}

/** How much differs in each column; null where nothing is seen to. */
function columnsOf(pixels, width) {
  const columns = new Array(width).fill(0);
  let most = 0;
  for (let place = 0; place < pixels.length; place += 4) {
    const apart = pixels[place] + pixels[place + 1] + pixels[place + 2];
    most = Math.max(most, apart);
    columns[(place / 4) % width] += apart * apart;
  }
  return most >= SEEN ? columns : null;
}
