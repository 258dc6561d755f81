// @ts-check
// A check that has passed on exactly these files is not run again: `npm test` remembers its last green run by the contents of
// every file. Never on a build server, never for a part of the checks, and `npm test -- --force` runs all the same.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { root } from './steps.mjs';

const file = path.join(root, 'node_modules/.cache/holdfast/passed.json');

/**
 * A hash over all that a run depends on: the names and contents of the repository's files, whether git knows them yet or
 * not, Node, and where the tests find a browser and a database.
 *
 * @param {readonly string[]} omissions what the run leaves out
 * @returns {string | null} null where git cannot say which files there are
 */
export function fingerprint(omissions) {
  const hash = createHash('sha256');
  const given = ['CHROMIUM_PATH', 'FIREFOX_PATH', 'WEBKIT_DRIVER_PATH', 'DATABASE_URL'].map(
    (name) => process.env[name] ?? '',
  );
  hash.update(JSON.stringify([process.version, process.platform, given, omissions]));
  try {
    const names = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root, stdio: 'pipe' });
    for (const name of names.toString().split('\0').filter(Boolean).toSorted()) {
      const at = path.join(root, name);
      hash.update(`\n${name}\n`).update(fs.existsSync(at) ? fs.readFileSync(at) : 'gone');
    }
  } catch {
    return null;
  }
  return hash.digest('hex');
}

/**
 * The counts of the last green run, if it was on the same files.
 *
 * @param {string | null} key
 * @returns {{ passed: number, failed: number } | null}
 */
export function passedBefore(key) {
  if (key === null || process.env['CI'] === 'true' || !fs.existsSync(file)) return null;
  const remembered = JSON.parse(fs.readFileSync(file, 'utf8'));
  return remembered.key === key ? { passed: remembered.passed, failed: 0 } : null;
}

/**
 * Remembers a green run; forgets the last one otherwise.
 *
 * @param {string | null} key from before the run
 * @param {string | null} keyNow another one: a file has changed meanwhile
 * @param {{ passed: number, failed: number }} result
 */
export function rememberPassed(key, keyNow, { passed, failed }) {
  fs.rmSync(file, { force: true });
  if (key === null || failed > 0 || key !== keyNow) return;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, JSON.stringify({ key, passed }));
}
