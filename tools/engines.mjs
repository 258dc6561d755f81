// @ts-check
// Finds Firefox, WebKit and nginx for the tests that need them, or gets them from the system's packages where that is allowed.
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { run, step } from './steps.mjs';

/** Installing both browsers took 20 s when it was measured. A much slower network is not waited for. */
const installTimeoutMs = 180_000;

/**
 * @typedef {object} Engine
 * @property {'firefox' | 'webkit' | 'proxy'} project of Vitest
 * @property {string} name
 * @property {string} variable names the program in the environment
 * @property {readonly string[]} programs that it needs; the first is the one that `variable` names
 * @property {readonly string[]} packages of Debian
 */

/** @type {readonly Engine[]} */
const engines = [
  {
    project: 'firefox',
    name: 'Firefox',
    variable: 'FIREFOX_PATH',
    programs: ['firefox-esr', 'firefox'],
    packages: ['firefox-esr'],
  },
  {
    project: 'webkit',
    name: 'WebKit',
    variable: 'WEBKIT_DRIVER_PATH',
    programs: ['WebKitWebDriver'],
    packages: ['webkit2gtk-driver', 'xvfb'],
  },
  {
    project: 'proxy',
    name: 'nginx',
    variable: 'NGINX_PATH',
    programs: ['nginx'],
    packages: ['nginx-light'],
  },
];

/** The projects of Vitest that need one of these programs. */
export const engineProjects = engines.map(({ project }) => project);

/**
 * Finds the programs for some projects, and installs those that are missing where that is allowed. A variable that names a
 * program which does not exist is a mistake: nothing is installed for it.
 *
 * @param {readonly string[]} projects
 * @returns {Promise<{ env: NodeJS.ProcessEnv, missing: readonly { project: string, message: string }[] }>} env: where
 *   those that are there are
 */
export async function provideEngines(projects) {
  const wanted = engines.filter(({ project }) => projects.includes(project));
  const absent = wanted.filter((engine) => find(engine) === undefined && given(engine) === '');
  let failure = '';
  if (absent.length > 0 && mayInstall()) {
    const packages = absent.flatMap((engine) => engine.packages);
    failure = await install(packages).then(
      () => '',
      (error) => ` Installing failed: ${String(error)}`,
    );
  }
  /** @type {NodeJS.ProcessEnv} */
  const env = {};
  /** @type {{ project: string, message: string }[]} */
  const missing = [];
  for (const engine of wanted) {
    const found = find(engine);
    if (found !== undefined) env[engine.variable] = found;
    else missing.push({ project: engine.project, message: explain(engine) + failure });
  }
  return { env, missing };
}

/** @param {Engine} engine */
function explain({ name, variable, packages }) {
  const mistake = given({ variable }) === '' ? '' : ` ${variable} names no file: ${given({ variable })}.`;
  return `${name} was not found.${mistake} Name it in ${variable}, or install it: apt-get install ${packages.join(' ')}.`;
}

/** @param {Engine} engine */
function find({ variable, programs, packages }) {
  const named = given({ variable });
  if (named !== '') return fs.existsSync(named) ? named : undefined;
  if (packages.includes('xvfb') && which('Xvfb') === undefined) return undefined;
  return programs.map(which).find((found) => found !== undefined);
}

/** The program that the environment names, or ''. @param {Pick<Engine, 'variable'>} engine */
function given({ variable }) {
  return process.env[variable] ?? '';
}

/** @param {string} program @returns {string | undefined} */
function which(program) {
  // Debian's servers lie in /usr/sbin, which is not on a user's path.
  const folders = [...(process.env['PATH'] || '').split(path.delimiter).filter(Boolean), '/usr/sbin'];
  return folders.map((folder) => path.join(folder, program)).find((file) => fs.existsSync(file));
}

/** As with Chromium: where it takes no password and no question. */
function mayInstall() {
  const isRoot = process.getuid !== undefined && process.getuid() === 0;
  return isRoot && fs.existsSync('/etc/debian_version') && fs.existsSync('/usr/bin/apt-get');
}

/** @param {readonly string[]} packages */
async function install(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { quiet: true, env, timeoutMs: installTimeoutMs };
  await step(`Installing ${packages.join(', ')} (apt-get; this machine had none)`, async () => {
    await run('apt-get', ['update', '-qq'], options);
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], options);
  });
}
