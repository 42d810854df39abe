// The JSON text of a track: read for editing, and written so that people can read and compare it.

const LINE_LENGTH = 110;
const FRESH = { mask_track: 1, units: "fractions", times: "seconds", regions: [] };

/** The track of a text, or null where it is none that can be drawn; the server says what is wrong with it. */
export function readTrack(text) {
  try {
    const track = text.trim() ? JSON.parse(text) : { ...FRESH };
    const isTrack =
      track?.mask_track === 1 && Array.isArray(track.regions) && track.regions.every((one) => one?.shape?.kind);
    return isTrack ? track : null;
  } catch {
    return null;
  }
}

export function writeTrack(track) {
  return `${written(track, 0)}\n`;
}

/** A value as JSON that begins at a column: on one line where it fits, but for what holds the whole and its regions. */
function written(value, indent) {
  const flat = oneLine(value);
  const isHolder = indent === 0 || (Array.isArray(value) && indent === 1);
  if (typeof value !== "object" || value === null || (!isHolder && indent + flat.length <= LINE_LENGTH)) return flat;
  const inner = " ".repeat(indent + 1);
  const parts = Array.isArray(value)
    ? value.map((one) => inner + written(one, indent + 1))
    : named(value).map(([name, one]) => `${inner}${JSON.stringify(name)}: ${written(one, indent + 1)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return parts.length ? `${open}\n${parts.join(",\n")}\n${" ".repeat(indent)}${close}` : open + close;
}

function oneLine(value) {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${named(value)
    .map(([name, one]) => `${JSON.stringify(name)}: ${oneLine(one)}`)
    .join(", ")}}`;
}

/** The fields of an object that are there. */
function named(value) {
  return Object.entries(value).filter(([, one]) => one !== undefined);
}
