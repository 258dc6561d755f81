// @ts-check
// Finds a Chromium for the browser tests, or gets one: from the system's packages when that is allowed, else from npm.
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { CommandError, root, run, step } from './steps.mjs';

/** The build of Chromium from npm: this version is the newest that runs with Node 20. */
const npmPackage = '@sparticuz/chromium@143.0.4';

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome'];
const macPaths = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/**
 * Finds a Chromium that starts, and installs one when there is none.
 *
 * @returns {Promise<{ path: string } | { missing: string }>} missing: why there is none, for the reader
 * @throws {CommandError} when CHROMIUM_PATH names something that does not start
 */
export async function provideChromium() {
  const given = process.env['CHROMIUM_PATH'];
  if (given) {
    if (await starts(given)) return { path: given };
    throw new CommandError(`CHROMIUM_PATH is ${given}, which does not start. Correct it, or unset it.`);
  }
  const found = await findInstalled();
  if (found) return { path: found };
  const reasons = [];
  for (const install of [installFromSystem, installFromNpm]) {
    try {
      const installed = await install();
      if (installed) return { path: installed };
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { missing: ['no Chromium was found, and none could be installed.', ...reasons].join(' ') };
}

async function findInstalled() {
  const folders = (process.env['PATH'] || '').split(path.delimiter).filter(Boolean);
  const candidates = [...names.flatMap((name) => folders.map((folder) => path.join(folder, name))), ...macPaths];
  for (const candidate of candidates) {
    if (await starts(candidate)) return candidate;
  }
  return undefined;
}

/**
 * Some distributions install a stub in the browser's place, so what is there is also tried.
 *
 * @param {string} file
 */
async function starts(file) {
  if (!fs.existsSync(file)) return false;
  try {
    return /\d+\.\d+/.test(await run(file, ['--version'], { quiet: true, timeoutMs: 20_000 }));
  } catch {
    return false;
  }
}

async function installFromSystem() {
  const isRoot = process.getuid !== undefined && process.getuid() === 0;
  if (!isRoot || !fs.existsSync('/etc/debian_version') || !fs.existsSync('/usr/bin/apt-get')) return undefined;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await step('Installing chromium (apt-get; this machine had none)', async () => {
    await run('apt-get', ['update', '-qq'], { quiet: true, env });
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], { quiet: true, env });
  });
  return findInstalled();
}

/** The package is made for a cloud function: it unpacks into the temporary folder, and brings libraries along. */
async function installFromNpm() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const folder = path.join(root, 'node_modules', '.cache', 'holdfast', 'chromium');
  const launcher = path.join(folder, 'chromium.sh');
  if (await starts(launcher)) return launcher;
  await step(`Installing Chromium from npm (${npmPackage})`, async () => {
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
    await run('npm', ['install', '--no-audit', '--no-fund', '--no-save', '--prefix', folder, npmPackage], {
      quiet: true,
      cwd: folder,
    });
    const unpack = "await (await import('@sparticuz/chromium')).default.executablePath()";
    await run(process.execPath, ['--input-type=module', '--eval', unpack], {
      quiet: true,
      cwd: folder,
      // The variable makes it unpack its libraries, for a machine that has none of a browser's.
      env: { ...process.env, TMPDIR: folder, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' },
    });
    const script = ['#!/bin/sh', 'here=$(dirname "$0")', 'export LD_LIBRARY_PATH="$here/al2023/lib"'];
    script.push('export FONTCONFIG_PATH="$here/fonts"', 'exec "$here/chromium" "$@"', '');
    fs.writeFileSync(launcher, script.join('\n'), { mode: 0o755 });
  });
  return (await starts(launcher)) ? launcher : undefined;
}
