import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DEFAULT_POLICY, SESSION_LIFETIMES, type SessionLifetimes } from './policy.ts';

/** Formats a duration in the largest unit without a remainder: `30 days`, `12 hours`, `15 minutes`. */
function tell(seconds: number): string {
  for (const [unit, length] of [
    ['day', 86_400],
    ['hour', 3_600],
    ['minute', 60],
    ['second', 1],
  ] as const) {
    if (seconds % length === 0) return `${seconds / length} ${unit}${seconds === length ? '' : 's'}`;
  }
  return `${seconds} seconds`;
}

test('the guide gives auditors the lifetimes that the code has', () => {
  const row = (name: string, lifetimes: SessionLifetimes): string =>
    `| ${name} | ${tell(lifetimes.inactivityTimeoutSeconds)} | ${tell(lifetimes.absoluteLifetimeSeconds)} |`;
  const table = [
    '| `sessionLifetimes` | inactivity timeout | absolute lifetime |',
    '| --- | --- | --- |',
    row('default', DEFAULT_POLICY),
    ...Object.entries(SESSION_LIFETIMES).map(([name, lifetimes]) => row(`\`${name}\``, lifetimes)),
  ].join('\n');
  const guide = readFileSync(new URL('../../../docs/guides/operation.md', import.meta.url), 'utf8');
  expect(guide).toContain(table);
  expect(guide).toContain(`An access token lives for ${tell(DEFAULT_POLICY.accessTokenLifetimeSeconds)}`);
});
