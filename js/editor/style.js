// The look of the editors. It lives in their shadow roots, so nothing leaks; colours come from the frontend's theme.

export const STYLE = `
:host {
  --ink: var(--input-text, #ddd);
  --faint: var(--descrip-text, #999);
  --ground: var(--component-node-widget-background, var(--comfy-input-bg, #222));
  --line: var(--border-color, #4e4e4e);
  --wrong: var(--error-text, #ff4444);
  --accent: color-mix(in oklab, #2683dc 78%, var(--ink));
  display: block; box-sizing: border-box; width: 100%; height: 100%;
  font: 12px/1.35 Inter, system-ui, sans-serif; color: var(--ink); text-align: left; touch-action: none;
}
* { box-sizing: border-box; }
.panel {
  display: flex; flex-direction: column; height: 100%; overflow: hidden;
  background: var(--ground); border: 1px solid var(--line); border-radius: 6px;
}
.tools { display: flex; gap: 4px; align-items: center; padding: 4px 6px; border-bottom: 1px solid var(--line); }
.tools .clip { margin-left: auto; color: var(--faint); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
button, select {
  font: inherit; color: inherit; background: color-mix(in oklab, var(--ink) 10%, var(--ground)); white-space: nowrap;
  border: 1px solid var(--line); border-radius: 4px; padding: 1px 7px; height: 22px; cursor: pointer;
}
select { padding: 0 2px; }
option { background: var(--ground); }
button:hover:enabled, select:hover:enabled { background: color-mix(in oklab, var(--ink) 20%, var(--ground)); }
:disabled { opacity: 0.4; cursor: default; }
.stage { flex: 1 1 0; min-height: 0; overflow: hidden auto; position: relative;
  scrollbar-width: thin; scrollbar-color: var(--faint) transparent; }
svg { display: block; width: 100%; user-select: none; -webkit-user-select: none; }
.stage svg { position: absolute; outline: none; } /* it takes the height that there is, and never asks for more */
.stage:has(svg:focus-visible), button:focus-visible, select:focus-visible {
  outline: 2px solid var(--accent); outline-offset: -2px; }
.status { padding: 3px 8px 4px; color: var(--faint); min-height: 23px; border-top: 1px solid var(--line); }
.status:empty { display: none; }
.status.wrong { color: var(--wrong); }
.notice { padding: 10px 12px; color: var(--faint); overflow-wrap: anywhere; }
.notice.wrong { color: var(--wrong); }
.notice pre { margin: 6px 0 0; font: 12px/1.4 ui-monospace, monospace; white-space: pre-wrap; color: var(--ink); }
.notice mark { color: inherit; background: none; text-decoration: underline wavy var(--wrong); text-underline-offset: 3px; }
text { fill: var(--ink); font-size: 11px; }
text.faint { fill: var(--faint); font-size: 10px; }
text.middle { text-anchor: middle; }
text.end { text-anchor: end; }
.row { fill: transparent; }
.row.chosen { fill: color-mix(in oklab, var(--ink) 9%, transparent); }
.plot { fill: color-mix(in oklab, var(--ink) 6%, transparent); }
.editable .plot { cursor: copy; }
.grid { stroke: var(--ink); stroke-opacity: 0.13; shape-rendering: crispEdges; }
.wanted { fill: var(--accent); fill-opacity: 0.5; }
.unwanted { fill: var(--accent); fill-opacity: 0.18; }
.curve { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
.point { fill: var(--ground); stroke: var(--accent); stroke-width: 2; pointer-events: none; }
.point.chosen { fill: var(--accent); stroke: var(--ink); }
.segment.even { fill: #2683dc; fill-opacity: 0.34; }
.segment.odd { fill: #d98a1f; fill-opacity: 0.34; }
.frame { fill: none; stroke: var(--ink); stroke-width: 1.5; }
.words { height: 100%; padding: 4px 6px; overflow: hidden; overflow-wrap: anywhere; font-size: 11px; line-height: 1.3; }
.words.number { padding: 4px 0; text-align: center; }
.stem { stroke: var(--ink); stroke-opacity: 0.55; stroke-dasharray: 2 2; pointer-events: none; }
.key { fill: var(--ground); stroke: var(--ink); stroke-width: 1.5; pointer-events: none; }
.key.chosen { fill: var(--ink); }
`
