// @ts-check
// `npm test`: the checks of this repository, one line each, all of them even when one fails. On a build server (CI=true) and with
// `--all` every check there is; otherwise what fits into 12 minutes, and a list of what was left out.
// The last line is `N passed, N failed`: the tests and the other checks together.
//
//   npm test -- --only types,client     some of them, each whole (`npm test -- --list` prints the names)
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { provideChromium } from './chromium.mjs';
import { provideEngines } from './engines.mjs';
import { fingerprint, passedBefore, rememberPassed } from './passed-before.mjs';
import { isRegistryReachable, setup } from './setup.mjs';
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
import { checkIos } from './test-ios.mjs';
import { checkNames, listOfNames, missingOnCi, planRun, projects, tellOmissions } from './test-plan.mjs';
import { countTests } from './vitest-report.mjs';

const report = path.join(root, 'node_modules', '.cache', 'holdfast', 'vitest.json');

/** @typedef {{ title: string, run: () => Promise<unknown> }} Check */

/** @param {number} worlds @returns {Readonly<Record<(typeof checkNames)[number], Check>>} */
const checksFor = (worlds) => ({
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
    title: `simulation (${worlds.toLocaleString('en')} worlds)`,
    run: () => run(process.execPath, [path.join(root, 'sim/sim.mjs'), '--seeds', String(worlds)]),
  },
});

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
 * @param {readonly string[]} excludedFiles
 * @param {NodeJS.ProcessEnv} env
 */
async function runVitest(names, excludedFiles, env) {
  fs.rmSync(report, { force: true });
  const args = [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...names.map((name) => `--project=${name}`),
    ...excludedFiles.map((file) => `--exclude=${file}`),
  ];
  const ended = await runInstalled('vitest/vitest.mjs', args, { env }).then(
    () => true,
    () => false,
  );
  const written = fs.existsSync(report) ? JSON.parse(fs.readFileSync(report, 'utf8')) : undefined;
  return countTests(written, ended);
}

/**
 * Finds what some projects need from outside: browsers, a proxy, and npm's registry.
 *
 * @param {readonly string[]} wanted projects
 * @returns {Promise<{ env: NodeJS.ProcessEnv, missing: readonly { project: string, message: string }[] }>}
 */
async function provideOutside(wanted) {
  const engines = await provideEngines(wanted);
  const { env } = engines;
  const missing = [...engines.missing];
  if (wanted.includes('packed') && !(await isRegistryReachable()))
    missing.push({ project: 'packed', message: "npm's registry cannot be reached." });
  if (!wanted.includes('browser')) return { env, missing };
  const chromium = await provideChromium();
  if ('path' in chromium) return { env: { ...env, CHROMIUM_PATH: chromium.path }, missing };
  const message = `${chromium.missing} Install Chromium, or name one in CHROMIUM_PATH.`;
  return { env, missing: [...missing, { project: 'browser', message }] };
}

/**
 * @param {import('./test-plan.mjs').Plan} plan
 * @returns {Promise<{ passed: number, failed: number, omissions: import('./test-plan.mjs').Plan['omissions'] }>}
 */
async function runAll({ names, worlds, excludedFiles, omissions }) {
  const total = { passed: 0, failed: 0 };
  /** @param {{ passed: number, failed: number }} counts */
  const add = ({ passed, failed }) => {
    total.passed += passed;
    total.failed += failed;
  };
  await setup({ server: false, web: false });
  const checks = checksFor(worlds);
  for (const name of checkNames) {
    if (!names.includes(name)) continue;
    const isPassed = await runCheck(checks[name]);
    add({ passed: isPassed ? 1 : 0, failed: isPassed ? 0 : 1 });
  }
  const wanted = projects.filter((name) => names.includes(name));
  const { env, missing } = await provideOutside(wanted);
  const failures = missingOnCi(missing, isCi);
  for (const line of failures) console.log(line);
  add({ passed: 0, failed: failures.length });
  const found = wanted.filter((name) => !missing.some(({ project }) => project === name));
  if (found.length > 0) add(await runVitest(found, excludedFiles, { ...process.env, ...env }));
  if (names.includes('ios')) add(await checkIos());
  const notFound = missing.map(({ project, message }) => ({
    part: project,
    what: `every test of the project "${project}" (${message})`,
    command: `npm test -- --only ${project}`,
  }));
  return { ...total, omissions: [...omissions, ...notFound] };
}

/**
 * @param {import('./test-plan.mjs').Plan} plan
 * @param {string | null} key of the files, under which a green run is remembered
 */
async function runPlan(plan, key) {
  const startedAtMs = Date.now();
  let result = { passed: 0, failed: 1, omissions: plan.omissions };
  try {
    result = await runAll(plan);
  } catch (error) {
    reportFailure(error);
  }
  const isComplete = result.omissions.length === plan.omissions.length;
  if (!plan.isNamed) rememberPassed(isComplete ? key : null, keyOf(plan), result);
  console.log(`\n  in ${secondsSince(startedAtMs)}`);
  tellEnd(result);
}

/** @param {{ passed: number, failed: number, omissions: import('./test-plan.mjs').Plan['omissions'] }} result */
function tellEnd({ passed, failed, omissions }) {
  for (const line of tellOmissions(omissions)) console.log(line);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

/** A run that left something out does not speak for one that does not. @param {import('./test-plan.mjs').Plan} plan */
const keyOf = ({ omissions }) => fingerprint(omissions.map(({ what }) => what));

endWithNpm();
endOnSignals();
const isCi = process.env['CI'] === 'true';
try {
  const plan = planRun(process.argv.slice(2), isCi);
  const key = plan.isNamed || plan.kind === 'list' ? null : keyOf(plan);
  const before = plan.isForced ? null : passedBefore(key);
  if (plan.kind === 'list') console.log(listOfNames());
  else if (before === null) await runPlan(plan, key);
  else {
    console.log('  Not one file has changed since all of this passed here. To run it again: npm test -- --force\n');
    tellEnd({ ...before, omissions: plan.omissions });
  }
} catch (error) {
  reportFailure(error);
  tellEnd({ passed: 0, failed: 1, omissions: [] });
}
