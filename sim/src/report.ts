import type { Done } from './worker.ts';
import { STATES } from './states.ts';
import { describeSetup, timelineOf } from './timeline.ts';

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.2rem 0.6rem; border-bottom: 1px solid #8884; vertical-align: top; }
td.number { text-align: right; }
.timeline td { font: 12px/1.4 ui-monospace, monospace; }
.broken td, .missing { background: #c224; font-weight: 600; }
details { margin: 1rem 0; }
`;

/** How a run was made. */
export type RunFacts = {
  readonly from: number;
  readonly seconds: number;
  readonly threads: number;
  readonly commit: string;
};

/** The report of a run: one page that needs nothing else. */
export function writeReport(done: Done, facts: RunFacts): string {
  const perMinute = Math.round((done.played / facts.seconds) * 60);
  const rows = [
    ['Seeds', `${facts.from} to ${facts.from + done.played - 1}`],
    ['Commit', facts.commit],
    ['Worlds that broke a promise', String(done.told.length)],
    ['Events', done.events.toLocaleString('en')],
    [
      'Duration',
      `${facts.seconds.toFixed(1)} s on ${facts.threads} threads, ${perMinute.toLocaleString('en')} worlds a minute`,
    ],
    ['Hash of all traces', done.traceHash.toString(16)],
  ].map(([name, value]) => `<tr><th scope="row">${name}</th><td>${escape(value ?? '')}</td></tr>`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Simulation report</title>
<style>${STYLE}</style>
<h1>Simulation report</h1>
<table>${rows.join('')}</table>
<h2>States that were reached</h2>
${writeStates(done)}
<h2>Worlds that broke a promise</h2>
${done.told.length === 0 ? '<p>None.</p>' : done.told.map(writeWorld).join('\n')}
</html>
`;
}

function writeStates(done: Done): string {
  const reached = new Map(done.reached);
  const rows = STATES.map((state) => {
    const count = reached.get(state) ?? 0;
    return `<tr${count === 0 ? ' class="missing"' : ''}><td>${escape(state)}</td><td class="number">${count}</td></tr>`;
  });
  return `<table><tr><th>state</th><th>worlds</th></tr>${rows.join('')}</table>`;
}

function writeWorld({ setup, violations, notes }: Done['told'][number]): string {
  const { columns, rows } = timelineOf(notes);
  const head = ['time', ...columns].map((column) => `<th>${escape(column)}</th>`).join('');
  const body = rows.map(({ time, column, text, isViolation }) => {
    if (isViolation)
      return `<tr class="broken"><td>${time}</td><td colspan="${columns.length}">${escape(text)}</td></tr>`;
    const cells = columns.map((_, index) => `<td>${index === column ? escape(text) : ''}</td>`);
    return `<tr><td>${time}</td>${cells.join('')}</tr>`;
  });
  const [first] = violations;
  return `<details open><summary>Seed ${setup.seed}: ${escape(`${first?.invariant} ${first?.text}`)}</summary>
<p>${escape(describeSetup(setup))}</p>
<table class="timeline"><tr>${head}</tr>${body.join('')}</table></details>`;
}
