// The keys of the editor: which key does what, wherever in it the focus is.

const NUDGE = 0.01; // of the frame
const LARGE = 5; // times as far with Shift
const GROWS = 1.05;
const TURNS = 5; // degrees
const CLOSER = 1.5;

/** The name of an editor's action for a key, with what it is given; null for keys that are not its own. */
export function actionOf(event, isOnStage) {
  const { key, shiftKey } = event;
  if (event.altKey) return null;
  if (event.ctrlKey || event.metaKey) return withControl(key.toLowerCase(), shiftKey);
  return (isOnStage && onStage(key, shiftKey)) || anywhere(key, shiftKey);
}

function withControl(key, shiftKey) {
  if (key === "z") return [shiftKey ? "redo" : "undo"];
  return { y: ["redo"], c: ["copy"], x: ["cut"], v: ["paste"], d: ["duplicate"] }[key] ?? null;
}

function onStage(key, shiftKey) {
  const far = NUDGE * (shiftKey ? LARGE : 1);
  const actions = {
    ArrowLeft: ["nudge", [-far, 0]],
    ArrowRight: ["nudge", [far, 0]],
    ArrowUp: ["nudge", [0, -far]],
    ArrowDown: ["nudge", [0, far]],
    "+": ["scale", GROWS],
    "=": ["scale", GROWS],
    "-": ["scale", 1 / GROWS],
    "[": ["turn", -TURNS],
    "]": ["turn", TURNS],
    Enter: ["draw"],
    Escape: ["escape"],
    Home: ["seek", 0],
    End: ["seek", Infinity],
    PageUp: ["look", CLOSER],
    PageDown: ["look", 1 / CLOSER],
    0: ["look", 0],
  };
  return actions[key];
}

function anywhere(key, shiftKey) {
  const actions = {
    " ": ["toggle"],
    ",": ["step", -1],
    ".": ["step", 1],
    "<": ["leap", -1],
    ">": ["leap", 1],
    p: ["tool", "polygon"],
    v: ["tool", "select"],
    c: ["tool", "corners"],
    b: ["tool", "box"],
    e: ["tool", "ellipse"],
    s: ["tool", "stroke"],
    w: ["whole"],
    k: ["key"],
    i: ["start"],
    o: ["end"],
    m: ["mode"],
    z: ["zoom", !shiftKey],
    Delete: ["remove"],
    Backspace: ["remove"],
  };
  const name = key.length === 1 ? key.toLowerCase() : key;
  if (name === "n") return ["next", shiftKey ? -1 : 1];
  return actions[name] ?? null;
}
