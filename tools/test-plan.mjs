// @ts-check
// The plan of a run of `npm test`: everything on a build server, and what fits into 12 minutes of two calm cores elsewhere.
import { engineProjects } from './engines.mjs';
import { CommandError } from './steps.mjs';

/** Checks of the repository itself, in their order. `worlds` plays simulated worlds. */
export const checkNames = /** @type {const} */ (['types', 'lint', 'format', 'unused', 'build', 'worlds']);

/** Vitest's projects: `packed` needs npm's registry, `browser` Chromium, and the last ones a program of their own. */
export const projects = ['tools', 'client', 'server', 'web', 'sim', 'whole', 'packed', 'browser', ...engineProjects];

/** Every part of the whole check; `ios` is the command `npm run test:ios`. */
export const parts = [...checkNames, ...projects, 'ios'];

/** Names for several parts at once. @type {ReadonlyMap<string, readonly string[]>} */
const groups = new Map([
  ['quick', ['types', 'lint', 'format', 'unused', 'tools']],
  ['unit', ['tools', 'client', 'server', 'web', 'sim']],
  ['engines', engineProjects.filter((name) => name !== 'proxy')],
]);

/** How many simulated worlds the whole check plays, and the short run. */
export const worlds = { whole: 20_000, short: 4_000 };

/** Files of the project `browser` that the short run leaves out: the slowest, each fault in every mode of delivery. */
export const slowBrowserFiles = [
  'tests/browser/clocks.test.ts',
  'tests/browser/degradation.test.ts',
  'tests/browser/tabs.test.ts',
];

/**
 * @typedef {object} Omission a part that is left out, wholly or partly
 * @property {string} part
 * @property {string} what in words
 * @property {string} command runs it
 */

/** The checks that the short run leaves out. @type {readonly Omission[]} */
export const shortOmissions = [
  {
    part: 'worlds',
    what: `${(worlds.whole - worlds.short).toLocaleString('en')} of ${worlds.whole.toLocaleString('en')} simulated worlds`,
    command: 'npm test -- --only worlds',
  },
  {
    part: 'browser',
    what: `browser tests in ${slowBrowserFiles.join(', ')}`,
    command: 'npm test -- --only browser',
  },
  { part: 'firefox', what: 'tests in Firefox', command: 'npm test -- --only firefox' },
  { part: 'webkit', what: 'tests in WebKit', command: 'npm test -- --only webkit' },
  { part: 'ios', what: 'checks of the iOS app (installs 500 MB)', command: 'npm run test:ios' },
];

/**
 * @typedef {object} Plan
 * @property {'list' | 'run'} kind
 * @property {readonly string[]} names parts to run
 * @property {number} worlds how many to play
 * @property {readonly string[]} excludedFiles of Vitest
 * @property {readonly Omission[]} omissions to print at the end
 * @property {boolean} isForced also when the same files have passed before
 * @property {boolean} isNamed some parts were asked for by name
 */

/**
 * Reads the arguments of `npm test`.
 *
 * @param {readonly string[]} args `--only <names>`: these parts, each whole; `--all`: everything; `--list`; `--force`
 * @param {boolean} isCi a build server: everything
 * @returns {Plan}
 * @throws {CommandError} for anything else
 */
export function planRun(args, isCi) {
  const isForced = args.includes('--force');
  const given = args.filter((arg) => arg !== '--force');
  const whole = {
    kind: /** @type {const} */ ('run'),
    worlds: worlds.whole,
    excludedFiles: [],
    omissions: [],
    isForced,
  };
  const [first = ''] = given;
  if (first === '--only' || first.startsWith('--only=')) return { ...whole, names: readNames(given), isNamed: true };
  if (given.length > 1 || !['', '--all', '--list'].includes(first)) {
    throw new CommandError(`npm test takes --only <names>, --all, --list and --force, not ${given.join(' ')}.`);
  }
  if (first === '--list') return { ...whole, kind: 'list', names: parts, isNamed: false };
  if (first === '--all' || isCi) return { ...whole, names: parts, isNamed: false };
  const partly = new Set(['worlds', 'browser']);
  const leftOut = new Set(shortOmissions.map(({ part }) => part).filter((part) => !partly.has(part)));
  return {
    ...whole,
    names: parts.filter((part) => !leftOut.has(part)),
    worlds: worlds.short,
    excludedFiles: slowBrowserFiles,
    omissions: shortOmissions,
    isNamed: false,
  };
}

/** @param {readonly string[]} given `--only a,b` or `--only=a,b` @returns {readonly string[]} names of parts */
function readNames([option = '', ...values]) {
  const [, value = values.shift()] = option.split('=');
  const names = (value ?? '').split(',').flatMap((name) => groups.get(name) ?? [name]);
  const unknown = names.filter((name) => !parts.includes(name));
  if (unknown.length === 0 && values.length === 0) return names;
  throw new CommandError(`There is no check named ${[...unknown, ...values].join(', ')}. There are: ${listOfNames()}.`);
}

/** Every name that `--only` takes. */
export function listOfNames() {
  return [...parts, ...groups.keys()].join(', ');
}

/**
 * The lines about parts that cannot run because a program of theirs is missing: a failure each on a build server, where no one
 * reads what was left out. Elsewhere they are omissions, listed at the end.
 *
 * @param {readonly { readonly project: string, readonly message: string }[]} missing
 * @param {boolean} isCi
 * @returns {readonly string[]} a line for each failure
 */
export function missingOnCi(missing, isCi) {
  if (!isCi) return [];
  return missing.map(({ project, message }) => `  FAILED  ${project}: ${message} With CI=true this is a failure.`);
}

/**
 * The lines at the end of a run about the checks that it did not run.
 *
 * @param {readonly Omission[]} omissions
 * @returns {readonly string[]} lines; none when nothing was left out
 */
export function tellOmissions(omissions) {
  if (omissions.length === 0) return [];
  const lines = omissions.map(({ what, command }) => `    ${what}: ${command}`);
  return ['  NOT RUN:', ...lines, '  npm test -- --all runs everything, as a build server does.'];
}
