import process from 'node:process';
import type { Policy } from '../../../server/src/kernel/policy.ts';
import type { Arguments } from './arguments.ts';
import { writeSection } from './document.ts';
import { say, type Bundle } from './seeds.ts';
import { runSeeds, sumUp } from './worker-pool.ts';

/** A rule of refresh token rotation, which is played in the same worlds as ours. */
type Rule = {
  readonly name: string;
  /** A file that replaces the server's decision; `null`: our own decision. */
  readonly decision: string | null;
  readonly policy: Partial<Policy>;
};

/** Without an interval every use rotates, and a copy of an older generation goes to the decision. */
const AT_EVERY_USE: Partial<Policy> = { rotationIntervalMs: 0 };

const RULES: readonly Rule[] = [
  { name: 'strict rotation', decision: 'strict', policy: AT_EVERY_USE },
  { name: 'grace of 10 s', decision: 'grace-10', policy: AT_EVERY_USE },
  { name: 'grace of 30 s', decision: 'grace-30', policy: AT_EVERY_USE },
  { name: 'grace of 60 s', decision: 'grace-60', policy: AT_EVERY_USE },
  { name: 'previous always allowed', decision: 'previous-always', policy: AT_EVERY_USE },
  { name: 'paced delivery (ours)', decision: null, policy: {} },
];

/** An hour without faults, in ms, in which owner and thief go on refreshing. */
const AFTERMATH_MS = 3_600_000;

/** Plays the same seeds under every rule, and prints the lost sessions and the detected and undetected thefts. */
export async function compareRules(given: Arguments, bundle: Bundle, threads: number): Promise<number> {
  const count = given.number('--seeds', 1_000);
  const lines = [
    `${count.toLocaleString('en')} worlds, the same for every rule.`,
    '',
    '| rule | honest sessions lost | thefts caught | thefts undetected |',
    '| --- | ---: | ---: | ---: |',
  ];
  for (const { name, decision, policy } of RULES) {
    const alias = decision === null ? {} : { 'server/src/rotation/rotation.ts': `sim/src/rules/${decision}.ts` };
    const file = await bundle('runner/worker.ts', `rule-${decision ?? 'ours'}`, { alias });
    const job = {
      kind: 'seeds',
      from: 1,
      count,
      stopsAtFirst: false,
      options: { policy, goesOn: true, aftermathMs: AFTERMATH_MS },
    } as const;
    const { lostSessions, theftsCaught, theftsUndetected } = sumUp(await runSeeds(file, job, threads));
    process.stderr.write(`${name}: ${lostSessions} lost, ${theftsCaught} caught, ${theftsUndetected} undetected\n`);
    lines.push(`| ${name} | ${lostSessions} | ${theftsCaught} | ${theftsUndetected} |`);
  }
  say(lines.join('\n'));
  if (given.has('--write')) await writeSection('compare', lines.join('\n'));
  return 0;
}
