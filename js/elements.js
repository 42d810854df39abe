// Elements of a page with their properties, and the signs that stand on buttons.

const SVG = "http://www.w3.org/2000/svg";
// Drawn, because not every system has these signs in a font.
const ICONS = {
  play: "M7 4v16l13-8z",
  pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  muted: "M3 9v6h4l5 5V4L7 9zM15.5 9.5l5 5m0-5l-5 5",
  sounding: "M3 9v6h4l5 5V4L7 9zM15.5 8.5a5 5 0 0 1 0 7M18 6a8.5 8.5 0 0 1 0 12",
  back: "M6 4h3v16H6zM19 4v16L10 12z",
  forward: "M15 4h3v16h-3zM5 4v16l9-8z",
};
// Drawn as lines, without a filling.
const LINES = {
  select: "M5 3l14 8-6 2-3 6z",
  corners: "M5 5l13 4-5 10zM3 3h4v4H3zM16 7h4v4h-4zM11 17h4v4h-4z",
  closerPicture: "M3 3h18v18H3zM8 12h8M12 8v8",
  wholePicture: "M3 3h18v18H3zM7 10V7h3M14 7h3v3M17 14v3h-3M10 17H7v-3",
  box: "M4 6h16v12H4z",
  ellipse: "M12 6c5 0 9 2.7 9 6s-4 6-9 6-9-2.7-9-6 4-6 9-6z",
  polygon: "M12 3l9 7-4 10H7L3 10z",
  stroke: "M3 17c4-9 6-9 8-4s4 5 10-7",
  whole: "M3 8V4h4M17 4h4v4M21 16v4h-4M7 20H3v-4",
  undo: "M9 5L4 10l5 5M4 10h10a6 6 0 0 1 0 12h-3",
  redo: "M15 5l5 5-5 5M20 10H10a6 6 0 0 0 0 12h3",
  copy: "M8 8h12v12H8zM16 8V4H4v12h4",
  paste: "M6 5h12v16H6zM9 3h6v4H9z",
  remove: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  keyframe: "M12 4l8 8-8 8-8-8z",
  text: "M8 4c-3 0-3 2-3 4s0 3-2 4c2 1 2 2 2 4s0 4 3 4M16 4c3 0 3 2 3 4s0 3 2 4c-2 1-2 2-2 4s0 4-3 4",
  closer: "M4 11a6 6 0 1 0 12 0a6 6 0 1 0-12 0M15 16l6 5M7 11h6M10 8v6",
  farther: "M4 11a6 6 0 1 0 12 0a6 6 0 1 0-12 0M15 16l6 5M7 11h6",
};

/** An element with properties, attributes (under `attributes`) and children. */
export function made(tag, { attributes = {}, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** An SVG element with attributes and children. */
export function drawn(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function button(textContent, title, onClick) {
  const element = made("button", { type: "button", textContent, title });
  element.addEventListener("click", onClick);
  return element;
}

/** A button with a sign; screen readers read its title. */
export function signed(name, title, onClick) {
  const element = button("", title, onClick);
  relabel(element, name, title);
  return element;
}

/** Gives a button another sign and another name. */
export function relabel(element, name, title) {
  element.replaceChildren(icon(name));
  Object.assign(element, { title, ariaLabel: title });
}

/** Puts a sheet of styles on the page, once. */
export function addStyle(id, textContent) {
  if (!document.getElementById(id)) document.head.append(made("style", { id, textContent }));
}

function icon(name) {
  const fill = name in LINES ? "none" : "currentColor";
  const size = { viewBox: "0 0 24 24", width: 16, height: 16 };
  const line = drawn("path", { d: ICONS[name] ?? LINES[name] });
  return drawn("svg", { ...size, fill, stroke: "currentColor", "stroke-width": 1.5, "aria-hidden": true }, line);
}
