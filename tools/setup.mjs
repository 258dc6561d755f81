// @ts-check
// Makes a fresh clone ready to run: installs the packages, compiles the server, builds the web app; each only
// when its inputs changed. Runs with nothing installed and on any Node, so that an old one gets a clear message.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
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
  step,
} from './steps.mjs';

/**
 * Makes the working tree ready; does nothing that is already done.
 *
 * @param {{ server?: boolean, web?: boolean }} [options] what to build; default: both
 * @throws {CommandError} with the mend in its message
 */
export async function setup({ server = true, web = true } = {}) {
  requireNode(process.versions.node);
  await providePackages(root, 'Installing packages (npm ci)');
  if (server) await compile();
  if (web) await buildWeb();
}

/**
 * Installs the packages of a folder with a lockfile of its own, unless they are there.
 *
 * @param {string} folder
 * @param {string} title what the step is called
 */
export async function providePackages(folder, title) {
  if (!packagesAreInstalled(folder)) await step(title, () => installPackages(folder));
}

/** Asks npm's registry for one package, once. @param {NodeJS.ProcessEnv} [env] */
export function isRegistryReachable(env = process.env) {
  const args = ['view', 'pg', 'version', '--fetch-retries=0', '--fetch-timeout=10000'];
  return run('npm', args, { quiet: true, env, timeoutMs: 30_000 }).then(
    () => true,
    () => false,
  );
}

/** Compiles the demo's backend and all that it uses. The compiler knows by itself what is up to date. */
async function compile() {
  const missing = !fs.existsSync(path.join(root, 'apps', 'api', 'dist', 'main.js'));
  const work = () => runInstalled('typescript/bin/tsc', ['-b', 'apps/api'], { quiet: true });
  await (missing ? step('Compiling the server (tsc -b)', work) : work());
}

/** Builds the web app when its sources, or the client's that it is built from, changed. */
async function buildWeb() {
  const output = path.join(root, 'apps', 'web', 'dist', 'index.html');
  const stamp = path.join(root, 'node_modules', '.cache', 'holdfast', 'web.stamp');
  const inputs = fingerprint(['apps/web', 'client/src', 'client/package.json', 'package-lock.json']);
  if (fs.existsSync(output) && fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === inputs) return;
  const options = { quiet: true, cwd: path.join(root, 'apps', 'web') };
  await step('Building the web app (Vite)', () =>
    runInstalled('vite/bin/vite.js', ['build', '--logLevel', 'warn'], options),
  );
  fs.mkdirSync(path.dirname(stamp), { recursive: true });
  fs.writeFileSync(stamp, inputs);
}

/**
 * @param {string} version of Node, as in process.versions.node
 * @throws {CommandError} when it is older than package.json's `engines` allows
 */
export function requireNode(version) {
  const manifest = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  const wanted = String(manifest.engines.node).replace('>=', '');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  throw new CommandError(`Holdfast needs Node ${wanted} or newer, and this is Node ${version}. Get one at nodejs.org.`);
}

/** @param {string} folder */
async function installPackages(folder) {
  try {
    return await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { quiet: true, cwd: folder });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(`${error.message} Mend what it says above, then run this again.`, error.output);
  }
}

/**
 * Compares the lockfile with the list that npm leaves in node_modules at the end of an install, so that an
 * interrupted install, a changed lockfile and an install by hand are all seen for what they are.
 *
 * @param {string} folder
 */
function packagesAreInstalled(folder) {
  const installedList = path.join(folder, 'node_modules', '.package-lock.json');
  if (!fs.existsSync(installedList)) return false;
  const wanted = JSON.parse(fs.readFileSync(path.join(folder, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(fs.readFileSync(installedList, 'utf8')).packages;
  return Object.keys(wanted).every((name) => {
    if (!name.includes('node_modules/')) return true;
    // Packages for other platforms are listed as optional and left out.
    if (!installed[name]) return Boolean(wanted[name].optional || wanted[name].devOptional || wanted[name].peer);
    return installed[name].version === wanted[name].version;
  });
}

/**
 * A hash over the names and contents of files and folders; build output is left out.
 *
 * @param {readonly string[]} names relative to the root
 */
function fingerprint(names) {
  const hash = createHash('sha256');
  /** @param {string} name */
  const add = (name) => {
    const file = path.join(root, name);
    if (!fs.existsSync(file)) return;
    if (fs.statSync(file).isDirectory()) {
      for (const entry of fs.readdirSync(file).toSorted()) {
        if (!/^(dist|node_modules)$|\.test\.tsx?$/.test(entry)) add(`${name}/${entry}`);
      }
      return;
    }
    const content = fs.readFileSync(file);
    hash.update(`\n${name} ${content.length}\n`).update(content);
  };
  for (const name of names) add(name);
  return hash.digest('hex');
}

if (isProgram(import.meta.url)) {
  endWithNpm();
  endOnSignals();
  const startedAtMs = Date.now();
  await setup().then(() => console.log(`  Everything is in place (${secondsSince(startedAtMs)}).`), reportFailure);
}
