// @ts-check
// `npm test`: every check of this repository, one line each, all of them even when one fails.
// The last line is `N passed, N failed`: the tests and the other checks together.
//
//   npm test -- --only types,client     some of them (`npm test -- --list` prints the names)
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { provideChromium } from './chromium.mjs';
import { engineProjects, provideEngines } from './engines.mjs';
import {
  CommandError,
  endOnSignals,
  endWithNpm,
  reportFailure,
  root,
  run,
  runInstalled,
  secondsSince,
} from './steps.mjs';
import { setup } from './setup.mjs';
import { fingerprint, passedBefore, rememberPassed } from './passed-before.mjs';
import { countTests } from './vitest-report.mjs';

const report = path.join(root, 'node_modules', '.cache', 'holdfast', 'vitest.json');

/** @typedef {{ title: string, run: () => Promise<unknown> }} Check */

/** @type {Readonly<Record<string, Check>>} */
const checks = {
  types: {
    title: 'types (tsc -b)',
    run: () => runInstalled('typescript/bin/tsc', ['-b'], { quiet: true }),
  },
  lint: {
    title: 'lint (oxlint)',
    run: () => runInstalled('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings'], { quiet: true }),
  },
  format: {
    title: 'format (oxfmt)',
    run: () => runInstalled('oxfmt/bin/oxfmt', ['--check', '.'], { quiet: true }),
  },
  unused: {
    title: 'unused code (knip)',
    run: () => runInstalled('knip/bin/knip.js', [], { quiet: true }),
  },
  build: { title: 'build (server, web app)', run: () => setup() },
  // Apart from the tests of the simulator, so that it has every core to itself.
  worlds: {
    title: 'simulation (20,000 worlds)',
    run: () => run(process.execPath, [path.join(root, 'sim/sim.mjs'), '--seeds', '20000']),
  },
};

/** Vitest's projects; `browser` needs Chromium, and the last ones a browser of their own. */
const projects = ['tools', 'client', 'server', 'web', 'sim', 'whole', 'browser', ...engineProjects];

/** Names for several checks at once. @type {Readonly<Record<string, readonly string[]>>} */
const groups = {
  quick: ['types', 'lint', 'format', 'unused', 'tools'],
  unit: ['tools', 'client', 'server', 'web', 'sim'],
  engines: engineProjects,
};

/** @param {readonly string[]} args @returns {readonly string[]} names of checks and projects */
function chosen(args) {
  const all = [...Object.keys(checks), ...projects];
  const at = args.findIndex((arg) => arg === '--only' || arg.startsWith('--only='));
  if (at === -1) {
    if (args.length === 0) return all;
    throw new CommandError(`npm test takes --only <names>, --list and --force, not ${args.join(' ')}.`);
  }
  const value = (args[at] || '').includes('=') ? (args[at] || '').slice('--only='.length) : args[at + 1] || '';
  const names = value.split(',').flatMap((name) => groups[name] || [name]);
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length === 0 && names.length > 0) return names;
  throw new CommandError(`There is no check named ${unknown.join(', ')}. There are: ${listOfNames()}.`);
}

function listOfNames() {
  return [...Object.keys(checks), ...projects, ...Object.keys(groups)].join(', ');
}

/**
 * @param {Check} check
 * @returns {Promise<boolean>} whether it passed
 */
async function runCheck(check) {
  const startedAtMs = Date.now();
  try {
    await check.run();
    console.log(`  ok      ${check.title.padEnd(28)} ${secondsSince(startedAtMs)}`);
    return true;
  } catch (error) {
    console.log(`  FAILED  ${check.title.padEnd(28)} ${secondsSince(startedAtMs)}`);
    const isKnown = error instanceof CommandError;
    const text = isKnown ? `${error.output.trimEnd()}\n${error.message}` : String(error);
    console.log(text.replaceAll(/^/gm, '          '));
    return false;
  }
}

/**
 * Runs Vitest on some projects and counts.
 *
 * @param {readonly string[]} names of projects
 * @param {NodeJS.ProcessEnv} env
 */
async function runVitest(names, env) {
  fs.rmSync(report, { force: true });
  const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const ended = await runInstalled('vitest/vitest.mjs', [...args, ...names.map((name) => `--project=${name}`)], {
    env,
  }).then(
    () => true,
    () => false,
  );
  const written = fs.existsSync(report) ? JSON.parse(fs.readFileSync(report, 'utf8')) : undefined;
  return countTests(written, ended);
}

/**
 * @param {readonly string[]} names what to run
 * @returns {Promise<{ passed: number, failed: number }>}
 */
async function runAll(names) {
  let passed = 0;
  let failed = 0;
  /** @param {boolean} isPassed */
  const count = (isPassed) => (isPassed ? (passed += 1) : (failed += 1));
  await setup({ server: false, web: false });
  for (const [name, check] of Object.entries(checks)) {
    if (names.includes(name)) count(await runCheck(check));
  }
  let wanted = projects.filter((name) => names.includes(name));
  const env = { ...process.env };
  if (wanted.includes('browser')) {
    const chromium = await provideChromium();
    if ('path' in chromium) env['CHROMIUM_PATH'] = chromium.path;
    else {
      console.log(`\n  NOT RUN: every test in a real browser (project "browser"): ${chromium.missing}`);
      console.log('  Install Chromium, or name one in CHROMIUM_PATH. With CI=true this is a failure.\n');
      isWhole = false;
      if (process.env['CI'] === 'true') count(false);
      wanted = wanted.filter((name) => name !== 'browser');
    }
  }
  const engines = await provideEngines(wanted);
  Object.assign(env, engines.env);
  for (const { project, message } of engines.missing) {
    console.log(`\n  NOT RUN: every test in another engine (project "${project}"): ${message}\n`);
    isWhole = false;
    wanted = wanted.filter((name) => name !== project);
  }
  if (wanted.length > 0) {
    const tests = await runVitest(wanted, env);
    passed += tests.passed;
    failed += tests.failed;
  }
  return { passed, failed };
}

endWithNpm();
endOnSignals();
const args = process.argv.slice(2).filter((arg) => arg !== '--force');
const isForced = args.length + 2 < process.argv.length;
/** Whether nothing is left out; only then does a green run speak for the next one. */
let isWhole = args.length === 0;
const key = isWhole ? fingerprint() : null;
const before = isForced ? null : passedBefore(key);
if (args.includes('--list')) {
  console.log(listOfNames());
} else if (before) {
  console.log('  Not one file has changed since all of this passed here. To run it again: npm test -- --force\n');
  console.log(`${before.passed} passed, ${before.failed} failed`);
} else {
  const startedAtMs = Date.now();
  let result = { passed: 0, failed: 1 };
  try {
    result = await runAll(chosen(args));
  } catch (error) {
    reportFailure(error);
  }
  if (isWhole) rememberPassed(key, result);
  console.log(`\n  in ${secondsSince(startedAtMs)}`);
  console.log(`${result.passed} passed, ${result.failed} failed`);
  process.exitCode = result.failed === 0 ? 0 : 1;
}
