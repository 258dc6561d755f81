// @ts-check
// `npm run test:ios`: every check of the iOS app that runs without a Mac. Installs the app's packages by itself (about 400 MB, in
// apps/ios/node_modules). The last line is `N passed, N failed`: the tests and the other checks together.
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { provideChromium } from './chromium.mjs';
import { providePackages, setup } from './setup.mjs';
import {
  CommandError,
  endOnSignals,
  endWithNpm,
  isProgram,
  reportFailure,
  root,
  run,
  runInstalled,
  secondsSince,
} from './steps.mjs';
import { countTests } from './vitest-report.mjs';

const app = path.join(root, 'apps', 'ios');
const report = path.join(app, 'dist', 'jest.json');
const env = { ...process.env, CI: '1', EXPO_NO_TELEMETRY: '1' };

/** @param {string} script inside of the app's node_modules @param {readonly string[]} args */
const runOwn = (script, args, more = {}) =>
  run(process.execPath, [path.join(app, 'node_modules', script), ...args], { cwd: app, env, ...more });

/** @param {readonly string[]} args */
const expo = (...args) => runOwn('expo/bin/cli', args, { quiet: true });

const total = { passed: 0, failed: 0 };

/**
 * Runs one check and prints one line for it.
 *
 * @param {string} title
 * @param {() => Promise<{ passed: number, failed: number, text?: string } | void>} work nothing: it counts as one that passed
 */
async function check(title, work) {
  const startedAtMs = Date.now();
  const counts = await work().then(
    (result) => result ?? { passed: 1, failed: 0 },
    (error) => ({
      passed: 0,
      failed: 1,
      text: error instanceof CommandError ? `${error.output}\n${error.message}` : String(error),
    }),
  );
  total.passed += counts.passed;
  total.failed += counts.failed;
  console.log(`  ${counts.failed === 0 ? 'ok    ' : 'FAILED'}  ${title.padEnd(52)} ${secondsSince(startedAtMs)}`);
  if (counts.text) console.log(counts.text.trimEnd().replaceAll(/^/gm, '          '));
}

/** The guide's code, where the app's packages are found. */
function writeGuideCode() {
  const guide = fs.readFileSync(path.join(root, 'docs', 'guides', 'ios.md'), 'utf8');
  const folder = path.join(app, 'dist', 'guide');
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const blocks = [...guide.matchAll(/^```typescript\n([\s\S]*?)^```$/gmu)].map(([, code = '']) => code);
  if (blocks.length === 0) throw new Error('the guide has no code');
  for (const [at, code] of blocks.entries()) fs.writeFileSync(path.join(folder, `block-${at + 1}.tsx`), code);
  const config = { extends: '../../tsconfig.json', include: ['*.tsx'], exclude: [] };
  fs.writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
  return folder;
}

/** The client's own tests on a Hermes VM. */
async function runHermes() {
  const printed = await run(process.execPath, ['tests/hermes/run.mjs'], { cwd: app, env, quiet: true });
  const outcome = JSON.parse(printed);
  if (outcome.passed.length === 0) throw new Error('not one test ran');
  return { passed: outcome.passed.length, failed: outcome.failed.length, text: outcome.failed.join('\n') };
}

/** @param {readonly string[]} projects of apps/ios/jest.config.js @param {NodeJS.ProcessEnv} [more] */
async function runJest(projects, more = {}) {
  fs.rmSync(report, { force: true });
  const args = ['--ci', '--json', `--outputFile=${report}`, '--selectProjects', ...projects];
  let text = '';
  const endedWell = await runOwn('jest/bin/jest.js', args, { quiet: true, env: { ...env, ...more } }).then(
    () => true,
    (error) => {
      text = error.output;
      return false;
    },
  );
  const written = fs.existsSync(report) ? JSON.parse(fs.readFileSync(report, 'utf8')) : undefined;
  return { ...countTests(written, endedWell), text };
}

async function runAll() {
  await setup({ web: false });
  await providePackages(app, "Installing the app's packages (npm ci in apps/ios)");
  const lint = { quiet: true, cwd: app };
  await check('types (tsc), with the types of Expo’s own modules', async () => {
    await runInstalled('typescript/bin/tsc', ['-p', app], { quiet: true });
  });
  await check('the code of docs/guides/ios.md compiles', async () => {
    await runInstalled('typescript/bin/tsc', ['-p', writeGuideCode()], { quiet: true });
  });
  await check('lint (oxlint)', async () => {
    await runInstalled('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings', '-c', 'oxlint.json'], lint);
  });
  await check('the client’s own tests on a Hermes VM', runHermes);
  await check('bundle for iOS, compiled to Hermes bytecode', async () => {
    await expo('export', '--platform', 'ios', '--output-dir', 'dist/ios');
  });
  await check('Xcode project (expo prebuild)', async () => {
    await expo('prebuild', '--platform', 'ios', '--no-install', '--clean');
  });
  await check('entitlements, Info.plist, bytecode', () => runJest(['project']));
  await check('the real screens against the real server (jest-expo)', () => runJest(['screens']));
  await check('bundle for the web', async () => {
    await expo('export', '--platform', 'web', '--output-dir', 'dist/web');
  });
  const chromium = await provideChromium();
  if ('missing' in chromium) console.log(`  NOT RUN: the app in a browser: ${chromium.missing}`);
  const isBrowserNeeded = process.env['CI'] === 'true';
  if ('path' in chromium)
    await check('the app in Chromium, at the size of a phone', () =>
      runJest(['browser'], { CHROMIUM_PATH: chromium.path, HOLDFAST_EXPORT: 'dist/web' }),
    );
  else if (isBrowserNeeded) total.failed += 1;
  console.log('\n  Screenshots of every screen are in apps/ios/dist/screenshots.');
}

/**
 * Runs every check; what keeps them from running counts as one that failed.
 *
 * @returns {Promise<{ passed: number, failed: number }>}
 */
export async function checkIos() {
  console.log('\n  The iOS app:');
  try {
    await runAll();
  } catch (error) {
    total.failed += 1;
    reportFailure(error);
  }
  return total;
}

if (isProgram(import.meta.url)) {
  endWithNpm();
  endOnSignals();
  const startedAtMs = Date.now();
  const { passed, failed } = await checkIos();
  console.log(`\n  in ${secondsSince(startedAtMs)}`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
