// How the editor of Mask track looks, in the colours of ComfyUI's theme.

export const STYLE = `
.reelpatch-track { display: flex; flex-direction: column; gap: 6px; width: 100%; height: 100%; min-height: 440px;
  box-sizing: border-box; color: var(--input-text, #ddd); font: 12px sans-serif; user-select: none; --chosen: #4a90d9;
  container-type: inline-size; }
.reelpatch-track [hidden] { display: none !important; }
.reelpatch-track .bar { display: flex; flex-wrap: wrap; gap: 4px; align-items: center; flex: 0 0 auto; }
.reelpatch-track .group { display: flex; gap: 4px; margin-right: 8px; }
.reelpatch-track .group:last-child { margin: 0 0 0 auto; }
.reelpatch-track .space { flex: 1 1 0; }
.reelpatch-track button { min-width: 32px; height: 28px; padding: 0 6px; color: inherit; cursor: pointer;
  border: 1px solid var(--border-color, #555); border-radius: 4px; background: var(--comfy-input-bg, #222); }
.reelpatch-track button:disabled { opacity: 0.4; cursor: default; }
.reelpatch-track button[aria-pressed="true"], .reelpatch-track button.here { border-color: var(--chosen);
  box-shadow: inset 0 0 0 1px var(--chosen); }
.reelpatch-track button svg { display: block; margin: auto; pointer-events: none; }
.reelpatch-track button.here svg { fill: var(--chosen); }
.reelpatch-track :focus-visible { outline: 2px solid var(--chosen); outline-offset: 1px; }
.reelpatch-track output { min-width: 120px; padding-left: 8px; font-variant-numeric: tabular-nums; }
.reelpatch-track .stage { position: relative; flex: 1 1 0; min-height: 140px; background: #000; overflow: hidden;
  touch-action: none; }
.reelpatch-track .stage:focus-visible { outline-offset: -2px; }
.reelpatch-track .stage > * { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
.reelpatch-track .mask { opacity: 0.5; pointer-events: none; }
.reelpatch-track .draws { cursor: crosshair; }
.reelpatch-track .shape { fill: transparent; stroke: #fff; cursor: move; }
.reelpatch-track polyline.shape { fill: none; pointer-events: stroke; }
.reelpatch-track .shape.subtracts { stroke: #7cf; }
.reelpatch-track .shape.selected { stroke: #fd3; }
.reelpatch-track .shape.away { opacity: 0.5; }
.reelpatch-track .draws .shape { pointer-events: none; }
.reelpatch-track .sketch { fill: none; stroke: #fd3; }
.reelpatch-track .stem { stroke: #fd3; }
.reelpatch-track .handle { fill: #fd3; stroke: #000; cursor: pointer; }
.reelpatch-track .handle.corner { cursor: move; }
.reelpatch-track .handle.corner.chosen { fill: #fff; }
.reelpatch-track .handle.between { opacity: 0.6; cursor: copy; }
.reelpatch-track .handle.turn { fill: #fff; cursor: grab; }
.reelpatch-track .handle.n, .reelpatch-track .handle.s { cursor: ns-resize; }
.reelpatch-track .handle.e, .reelpatch-track .handle.w { cursor: ew-resize; }
.reelpatch-track .handle.nw, .reelpatch-track .handle.se { cursor: nwse-resize; }
.reelpatch-track .handle.ne, .reelpatch-track .handle.sw { cursor: nesw-resize; }
.reelpatch-track textarea { flex: 1 1 0; min-height: 140px; resize: none; padding: 6px; color: inherit; white-space: pre;
  font: 12px/1.4 monospace; border: 1px solid var(--border-color, #555); background: var(--comfy-input-bg, #222);
  user-select: text; }
.reelpatch-track .timeline { flex: 0 0 auto; height: 122px; overflow: auto; background: var(--comfy-input-bg, #222);
  border-radius: 4px; padding: 0 8px; touch-action: none; }
.reelpatch-track .inner { position: relative; min-height: 100%; }
.reelpatch-track .ruler { position: relative; height: 20px; cursor: ew-resize; overflow: hidden; }
.reelpatch-track .mark { position: absolute; top: 3px; padding-left: 3px; border-left: 1px solid #888; font-size: 10px;
  line-height: 14px; color: #aaa; white-space: nowrap; pointer-events: none; }
.reelpatch-track .playhead { position: absolute; top: 0; bottom: 0; width: 0; border-left: 2px solid #f55; margin-left: -1px;
  pointer-events: none; }
.reelpatch-track .row { position: relative; height: 32px; }
.reelpatch-track .row .bar { position: absolute; display: block; top: 3px; height: 27px; box-sizing: border-box;
  border-radius: 3px; cursor: pointer; overflow: hidden; padding: 0 16px; font-size: 11px; line-height: 15px; white-space: nowrap;
  text-overflow: ellipsis; color: #fff; background: linear-gradient(to right, #a334 0, #a33d var(--in),
  #a33d calc(100% - var(--out)), #a334 100%); }
.reelpatch-track .row .bar.subtracts { background: linear-gradient(to right, #2684 0, #268d var(--in),
  #268d calc(100% - var(--out)), #2684 100%); }
.reelpatch-track .row.selected .bar { box-shadow: inset 0 0 0 1px #fd3; }
.reelpatch-track .moment { position: absolute; top: 3px; width: 6px; height: 27px; border-radius: 2px; background: #fff;
  cursor: ew-resize; opacity: 0.85; }
.reelpatch-track .moment.end { margin-left: -6px; }
.reelpatch-track .moment.full, .reelpatch-track .moment.fading { width: 9px; height: 9px; top: 1px; border-radius: 0;
  background: #fd3; clip-path: polygon(0 0, 100% 0, 50% 100%); }
.reelpatch-track .moment.full, .reelpatch-track .moment.fading { margin-left: -4.5px; }
.reelpatch-track .moment.full.aside { margin-left: 6px; }
.reelpatch-track .moment.fading.aside { margin-left: -15px; }
.reelpatch-track .key { position: absolute; top: 18px; width: 9px; height: 9px; margin-left: -5px; background: #fff;
  border: 1px solid #000; transform: rotate(45deg); cursor: ew-resize; box-sizing: border-box; }
.reelpatch-track .key.here { background: #fd3; }
.reelpatch-track .inspector { display: flex; flex-wrap: wrap; gap: 4px 10px; flex: 0 0 auto; height: 54px; overflow: auto;
  align-content: start; }
.reelpatch-track label { display: flex; gap: 4px; align-items: center; }
.reelpatch-track label input, .reelpatch-track label select { height: 24px; box-sizing: border-box; padding: 0 4px;
  color: inherit; border: 1px solid var(--border-color, #555); border-radius: 4px; background: var(--comfy-input-bg, #222); }
.reelpatch-track label input[type="number"] { width: 66px; }
.reelpatch-track label input[type="text"] { width: 90px; user-select: text; }
.reelpatch-track .message { flex: 0 0 auto; height: 30px; overflow: auto; color: #fc6; }
@container (max-width: 480px) {
  .reelpatch-track .stage, .reelpatch-track textarea { min-height: 240px; }
  .reelpatch-track .inspector { height: 138px; }
}
`;
