// The node Mask track: its text is drawn on the clip's frames and on a timeline.

import { app } from "../../scripts/app.js";
import { keepShown } from "./shown_elements.js";
import { TrackEditor } from "./timeline/editor.js";
import { sourceOf } from "./timeline/upstream.js";

const TYPE = "ReelpatchMaskTrack";
const [WIDTH, HEIGHT] = [620, 760];
const SMALLEST = 460;
const SMALLEST_NODE = [420, 620];
const LOOKS_EVERY_MS = 500; // at what is connected: no event tells of every way in which that changes

/** Has the editor show the film that is chosen in front of the node, or what the node told when it ran. */
function follow(node, editor) {
  let shown = null;
  const look = () => {
    if (!editor.element.isConnected) return;
    const { file, type } = sourceOf(node, "clip");
    const chosen = file ?? node.reelpatchFilm ?? null;
    const given = node.widgets?.find((one) => one.name === "fps")?.value;
    const rate = type === "IMAGE" ? { fps: given ? String(given) : "" } : {};
    const isLinked = node.inputs?.some((one) => one.name === "track" && one.link != null) ?? false;
    const wanted = JSON.stringify([chosen, rate, isLinked]);
    if (wanted === shown) return;
    shown = wanted;
    editor.open(chosen, { ...measures(chosen), ...rate }, isLinked);
  };
  look();
  return setInterval(look, LOOKS_EVERY_MS);
}

/** What a node told of frames that its film shows smaller or at another rate. */
function measures(film) {
  return film && "width" in film ? { width: film.width, height: film.height, fps: film.fps } : {};
}

/** The workflow of the page has changed: it is marked so, and can be undone. */
function tellWorkflow() {
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  (tracker?.captureCanvasState ?? tracker?.checkState)?.call(tracker);
}

app.registerExtension({
  name: "reelpatch.mask_track",

  getCustomWidgets: () => ({
    /** The widget of an input whose text is a track. */
    REELPATCH_MASK_TRACK(node, name, [, options]) {
      const locale = app.extensionManager?.setting?.get("Comfy.Locale") ?? "en";
      const editor = new TrackEditor(locale, options?.default ?? "", () => {
        widget.callback?.(editor.text);
        tellWorkflow();
      });
      const widget = node.addDOMWidget(name, "reelpatch_mask_track", editor.element, {
        hideOnZoom: false,
        getMinHeight: () => SMALLEST,
        getValue: () => editor.text,
        setValue: (text) => {
          editor.text = text;
        },
      });
      keepShown(node, editor.element);
      node.reelpatchTrack = editor; // for scripts that want to look at it
      return { widget };
    },
  }),

  nodeCreated(node) {
    if (node.constructor.comfyClass !== TYPE || !node.reelpatchTrack) return;
    const enlarge = (width, height) => node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
    enlarge(WIDTH, HEIGHT);
    const editor = node.reelpatchTrack;
    const timer = follow(node, editor);
    const { onConfigure, onRemoved, onExecuted } = node;
    node.onConfigure = function (...given) {
      onConfigure?.apply(this, given);
      enlarge(...SMALLEST_NODE); // saved while the node was a text alone
    };
    node.onExecuted = function (told) {
      onExecuted?.call(this, told);
      node.reelpatchFilm = told?.reelpatch_film?.[0];
      editor.run = told?.reelpatch_masks?.[0] ?? "";
    };
    node.onRemoved = function () {
      onRemoved?.call(this);
      clearInterval(timer);
      editor.remove();
    };
  },
});
