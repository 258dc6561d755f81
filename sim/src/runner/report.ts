import { STATES } from '../checkers/states.ts';
import { describeRun, type RunFacts } from './run-facts.ts';
import { describeSetup, timelineOf } from './timeline.ts';
import type { Sum } from './worker-pool.ts';
import type { Told } from './worker.ts';

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 90rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.2rem 0.6rem; border-bottom: 1px solid #8883; vertical-align: top; }
td.number { text-align: right; }
.states { display: grid; grid-template-columns: repeat(auto-fit, minmax(21rem, 1fr)); gap: 0 2rem; margin: 0; }
.states div { display: flex; justify-content: space-between; border-bottom: 1px solid #8883; padding: 0.15rem 0; }
.states dd { margin: 0; font-variant-numeric: tabular-nums; }
.scroll { max-height: 80vh; overflow: auto; border: 1px solid #8883; }
.timeline { width: 100%; font: 12px/1.4 ui-monospace, monospace; }
.timeline th { position: sticky; top: 0; background: Canvas; }
.timeline th, .timeline td { border-bottom-width: 0; border-left: 1px solid #8882; overflow-wrap: anywhere; min-width: 9rem; }
.timeline td:first-child, .timeline th:first-child { white-space: nowrap; min-width: 0; border-left: 0; }
.timeline tr:nth-child(even) { background: #8881; }
.broken td, .missing { background: #c224; font-weight: 600; }
details { margin: 1rem 0; }
summary { font-weight: 600; cursor: pointer; }
`;

/**
 * Writes the report of a run as one self-contained page.
 *
 * @param told worlds that are shown in full: the ones that broke a promise, or one example that did not
 */
export function writeReport(sum: Sum, told: readonly Told[], facts: RunFacts): string {
  const rows = describeRun(sum, facts).map(
    ([name, value]) => `<tr><th scope="row">${name}</th><td>${escape(value)}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Simulation report</title>
<style>${STYLE}</style>
<h1>Simulation report</h1>
<table>${rows.join('')}</table>
<h2>Worlds in full</h2>
${told.map(writeWorld).join('\n')}
<h2>States, and in how many worlds they were reached</h2>
${writeStates(sum)}
</html>
`;
}

function writeStates(sum: Sum): string {
  const reached = new Map(sum.reached);
  const rows = STATES.map((state) => {
    const worlds = reached.get(state) ?? 0;
    const mark = worlds === 0 ? ' class="missing"' : '';
    return `<div${mark}><dt>${escape(state)}</dt><dd>${worlds.toLocaleString('en')}</dd></div>`;
  });
  return `<dl class="states">${rows.join('')}</dl>`;
}

function writeWorld({ setup, violations, notes }: Told): string {
  const { columns, rows } = timelineOf(notes);
  const head = ['time', ...columns].map((column) => `<th>${escape(column)}</th>`).join('');
  const body = rows.map(({ time, column, text, isViolation }) => {
    if (isViolation)
      return `<tr class="broken"><td>${time}</td><td colspan="${columns.length}">${escape(text)}</td></tr>`;
    const cells = columns.map((_, index) => `<td>${index === column ? escape(text) : ''}</td>`);
    return `<tr><td>${time}</td>${cells.join('')}</tr>`;
  });
  const [first] = violations;
  const verdict = first ? `${first.invariant} ${first.text}` : 'kept every promise';
  return `<details${first ? ' open' : ''}><summary>Seed ${setup.seed}: ${escape(verdict)}</summary>
<p>${escape(describeSetup(setup))}</p>
<div class="scroll"><table class="timeline"><tr>${head}</tr>${body.join('')}</table></div></details>`;
}
