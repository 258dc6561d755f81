// The style sheet of the shadow tree. A content security policy that forbids inline styles allows it. A page can set
// the custom properties `--timeline-…` to adapt its look.
const css = `
:host { display: block; }
.panel {
  --ink: var(--timeline-ink, #18221f);
  --soft: var(--timeline-ink-soft, #515c57);
  --line: var(--timeline-line, #e0ddd3);
  --ground: var(--timeline-ground, #fffefb);
  --sunken: var(--timeline-sunken, #f4f2eb);
  --good: var(--timeline-good, #0e5f57);
  --on-good: var(--timeline-on-good, #fff);
  --wait: var(--timeline-wait, #b7791f);
  --wait-ink: var(--timeline-wait-ink, #77480b);
  --bad: var(--timeline-bad, #b23a2e);
  --on-bad: var(--timeline-on-bad, #fff);
  --quiet: var(--timeline-quiet, #6f7b76);
  --request: var(--timeline-request, #3d6aa8);
  --request-wash: var(--timeline-request-wash, #dfe8f5);
  --request-ink: var(--timeline-request-ink, #23497d);
  --person: var(--timeline-person, #7a4fa3);
  --person-wash: var(--timeline-person-wash, #eee4f7);
  --person-ink: var(--timeline-person-ink, #5b3580);
  color: var(--ink);
  font: 13px/1.4 var(--timeline-font, system-ui, sans-serif);
}
@media (prefers-color-scheme: dark) {
  .panel {
    --ink: var(--timeline-ink, #e8edea);
    --soft: var(--timeline-ink-soft, #a3b0ab);
    --line: var(--timeline-line, #2a3532);
    --ground: var(--timeline-ground, #171f1d);
    --sunken: var(--timeline-sunken, #111917);
    --good: var(--timeline-good, #7fd0c1);
    --on-good: var(--timeline-on-good, #07211d);
    --wait: var(--timeline-wait, #dda84a);
    --wait-ink: var(--timeline-wait-ink, #ecc27a);
    --bad: var(--timeline-bad, #e5786b);
    --on-bad: var(--timeline-on-bad, #2b0b07);
    --quiet: var(--timeline-quiet, #82918b);
    --request: var(--timeline-request, #86aee6);
    --request-wash: var(--timeline-request-wash, #1b2b42);
    --request-ink: var(--timeline-request-ink, #b4cff5);
    --person: var(--timeline-person, #c39be8);
    --person-wash: var(--timeline-person-wash, #2f2140);
    --person-ink: var(--timeline-person-ink, #dcc2f5);
  }
}
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
p { margin: 0; }
button { font: inherit; color: inherit; cursor: pointer; }
:focus-visible { outline: 2px solid var(--good); outline-offset: 1px; }

.toolbar { display: flex; flex-wrap: wrap; gap: 8px 16px; margin-bottom: 12px; }
.tools { display: flex; flex-wrap: wrap; gap: 4px; }
.tools:nth-child(2) { margin-left: auto; }
.tools button, .notice button {
  min-height: 28px; padding: 0 10px; border: 1px solid var(--line); border-radius: 6px; background: transparent; color: var(--soft);
}
.tools button:hover:not(:disabled), .notice button:hover { border-color: var(--soft); color: var(--ink); }
.tools button:disabled { opacity: 0.6; cursor: default; }
.tools .square { width: 28px; padding: 0; }
.tools .chip[aria-pressed='true'] { border-color: var(--soft); background: var(--sunken); color: var(--ink); font-weight: 600; }
.chip[data-group]::before {
  display: inline-block; width: 8px; height: 8px; margin-right: 6px; border-radius: 2px; background: var(--chip); content: '';
}
.chip[aria-pressed='false']::before { background: transparent; box-shadow: inset 0 0 0 1px var(--soft); }
.chip[data-group='refreshes'] { --chip: var(--good); }
.chip[data-group='waits'] { --chip: var(--wait); }
.chip[data-group='requests'] { --chip: var(--request); }
.chip[data-group='session'] { --chip: var(--person); }

.notice { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; color: var(--soft); }
.notice:not(:empty) { margin-bottom: 12px; padding: 8px 12px; border-radius: 6px; background: var(--sunken); }

.plot { position: relative; max-height: 26rem; overflow-y: auto; border: 1px solid var(--line); border-radius: 8px; background: var(--ground); }
.axis-row { position: sticky; top: 0; z-index: 3; display: flex; height: 26px; border-bottom: 1px solid var(--line); background: var(--ground); }
.corner, .lane-head { flex: none; width: 112px; border-right: 1px solid var(--line); }
.axis { position: relative; flex: 1; min-width: 0; overflow: hidden; }
.tick {
  position: absolute; top: 0; height: 26px; padding-left: 5px; border-left: 1px solid var(--line); color: var(--soft);
  font: 11px/26px var(--timeline-mono, ui-monospace, Menlo, monospace); font-variant-numeric: tabular-nums; white-space: nowrap;
}
.fold {
  position: absolute; top: 0; z-index: 1; display: flex; align-items: center; justify-content: center; height: 26px; overflow: hidden;
  background: repeating-linear-gradient(115deg, var(--sunken) 0 5px, var(--line) 5px 6px); color: var(--soft); font-size: 11px; white-space: nowrap;
}
.fold span { padding: 0 4px; border-radius: 4px; background: var(--ground); }

.lanes { position: relative; }
.lane { display: flex; border-bottom: 1px solid var(--line); }
.lane:last-of-type { border-bottom: 0; }
.lane-head { position: relative; z-index: 2; display: flex; flex-wrap: wrap; align-content: center; gap: 0 6px; padding: 4px 10px; background: var(--ground); }
.lane-head em { color: var(--good); font-style: normal; }
.lane-head span { width: 100%; color: var(--soft); font-size: 12px; }
.lane-body { position: relative; flex: 1; min-width: 0; overflow: hidden; }
.links { position: absolute; top: 0; left: 113px; z-index: 1; width: calc(100% - 113px); overflow: hidden; pointer-events: none; }
.links path { fill: none; stroke: var(--good); stroke-width: 1.25px; stroke-dasharray: 3 3; vector-effect: non-scaling-stroke; opacity: 0.75; }

.item {
  position: absolute; height: 20px; min-width: 5px; margin: 2px 0; padding: 0 6px; overflow: hidden; border: 1px solid var(--edge); border-radius: 5px;
  background: var(--fill); color: var(--text); font-size: 11.5px; line-height: 18px; text-align: left; text-overflow: ellipsis; white-space: nowrap;
}
.item:hover, .item:focus-visible { z-index: 4; box-shadow: 0 0 0 2px var(--ground), 0 0 0 3.5px var(--ink); outline: none; }
.item { --edge: var(--good); --fill: var(--good); --text: var(--on-good); }
.item[data-tone='bad'] { --edge: var(--bad); --fill: var(--bad); --text: var(--on-bad); }
.item[data-tone='wait'] { --edge: var(--wait); --fill: color-mix(in srgb, var(--wait) 22%, var(--ground)); --text: var(--wait-ink); }
.item[data-tone='plain'] { --edge: var(--quiet); --fill: var(--sunken); --text: var(--ink); }
.item:is([data-kind='lock'], [data-kind='backoff']) {
  --text: var(--ink);
  border-style: dashed; height: 16px; margin: 4px 0; line-height: 14px;
  background: repeating-linear-gradient(115deg, transparent 0 5px, color-mix(in srgb, var(--edge) 30%, transparent) 5px 7px), var(--ground);
}
.item:is([data-kind='parked'], [data-kind='resent']) { --edge: var(--request); --fill: var(--request-wash); --text: var(--request-ink); }
.item[data-kind='parked'][data-tone='bad'] { --edge: var(--bad); --text: var(--ink); }
.item[data-kind='reauthentication'] { --edge: var(--person); --fill: var(--person-wash); --text: var(--person-ink); }
.item[data-open='true'] { border-right-style: dotted; border-top-right-radius: 0; border-bottom-right-radius: 0; animation: under-way 1.6s ease-in-out infinite; }
.item[data-moment='true'] {
  z-index: 2; width: auto; min-width: 14px; height: 14px; margin: 5px 0; padding: 0; border-width: 2px; border-radius: 7px; background: var(--ground);
  color: var(--ink); line-height: 10px; text-align: center; transform: translateX(-7px);
}
.item[data-moment='true']:not(:empty) { padding: 0 5px; }
.item[data-moment='true'][data-kind='session'] { background: var(--edge); }
.item[data-moment='true'][data-kind='refused'] { border-radius: 3px; background: var(--wait); }
.item[data-moment='true'][data-kind='resent'] { background: var(--request-wash); }
@keyframes under-way { 50% { opacity: 0.72; } }

.details { min-height: 5.5em; padding: 12px 2px 0; }
.details-head { color: var(--soft); }
.details-head strong { color: var(--ink); }
.details-time { color: var(--soft); font: 12px/1.6 var(--timeline-mono, ui-monospace, Menlo, monospace); }
.hint { color: var(--soft); }

@media (max-width: 40rem) {
  .corner, .lane-head { width: 72px; }
  .links { left: 73px; width: calc(100% - 73px); }
  .lane-head { padding: 4px 6px; }
  .tools:nth-child(2) { margin-left: 0; }
  .tools button { min-height: 32px; }
}
@media (prefers-reduced-motion: reduce) { .item { animation: none !important; } }
`;

/** Applies the style sheet to a shadow tree. */
export function adoptStyle(shadow: ShadowRoot): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  shadow.adoptedStyleSheets = [sheet];
}
