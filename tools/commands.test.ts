// The commands decide whether a change is let in: an error of theirs would look like a green run.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { provideEngines, engineProjects } from './engines.mjs';
import { isRegistryReachable, providePackages, requireNode } from './setup.mjs';
import { root } from './steps.mjs';
import { missingOnCi, parts, planRun, shortOmissions, slowBrowserFiles, tellOmissions, worlds } from './test-plan.mjs';
import { countTests } from './vitest-report.mjs';

afterEach(() => void vi.unstubAllEnvs());

describe('setup', () => {
  it.each(['18.20.0', '20.18.9', '12.0.0'])('does not go on with Node %s, and says which one it needs', (version) => {
    expect(() => requireNode(version)).toThrow(/needs Node 20\.19 or newer, and this is Node \d+/);
  });

  it.each(['20.19.0', '20.20.2', '22.0.0', '100.1.0'])('goes on with Node %s', (version) => {
    expect(() => requireNode(version)).not.toThrow();
  });
});

it('an install that fails is an error with the words of npm: no check is skipped for want of its packages', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'holdfast-install-'));
  try {
    writeFileSync(path.join(folder, 'package.json'), '{ "dependencies": { "missing-from-the-lockfile": "1.0.0" } }');
    writeFileSync(path.join(folder, 'package-lock.json'), '{ "lockfileVersion": 3, "packages": {} }');
    await expect(providePackages(folder, 'Installing')).rejects.toMatchObject({
      name: 'CommandError',
      message: expect.stringMatching(/npm ci .* ended with exit code 1/),
      output: expect.stringContaining('missing-from-the-lockfile'),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);

it('a registry that cannot be reached is noticed: the tests that need it are listed as not run', async () => {
  const env = { ...process.env, npm_config_registry: 'http://127.0.0.1:9/' };
  expect(await isRegistryReachable(env)).toBe(false);
}, 60_000);

describe('the count of tests', () => {
  const loaded = { status: 'passed', assertionResults: [{ status: 'passed' }] };

  it('is what Vitest counted', () => {
    const report = { numPassedTests: 5, numFailedTests: 2, testResults: [loaded] };
    expect(countTests(report, false)).toEqual({ passed: 5, failed: 2 });
  });

  it('has a failure for a file that did not load, and for one whose preparation failed', () => {
    const broken = { status: 'failed', assertionResults: [] };
    const unprepared = { status: 'failed', assertionResults: [{ status: 'skipped' }] };
    const failing = { status: 'failed', assertionResults: [{ status: 'passed' }, { status: 'failed' }] };
    const report = { numPassedTests: 6, numFailedTests: 1, testResults: [loaded, broken, unprepared, failing] };
    expect(countTests(report, false)).toEqual({ passed: 6, failed: 3 });
  });

  it('has a failure when Vitest failed and no test did', () => {
    const report = { numPassedTests: 5, numFailedTests: 0, testResults: [loaded] };
    expect(countTests(report, false)).toEqual({ passed: 5, failed: 1 });
    expect(countTests(report, true)).toEqual({ passed: 5, failed: 0 });
  });

  it('has a failure when Vitest wrote no report', () => {
    expect(countTests(undefined, true)).toEqual({ passed: 0, failed: 1 });
  });
});

describe('the plan of npm test', () => {
  it('is everything on a build server, the iOS app and all 20,000 worlds included', () => {
    const plan = planRun([], true);
    expect(plan).toMatchObject({ names: parts, worlds: 20_000, excludedFiles: [], omissions: [] });
    expect(plan.names).toContain('ios');
    expect(planRun(['--all'], false)).toEqual(plan);
  });

  it('leaves nothing out elsewhere that its end does not list, with a command that runs it', () => {
    const plan = planRun([], false);
    const isLeftOut = (part: string): boolean =>
      !plan.names.includes(part) ||
      (part === 'worlds' && plan.worlds < worlds.whole) ||
      (part === 'browser' && plan.excludedFiles.length > 0);
    expect(parts.filter(isLeftOut).toSorted()).toEqual(shortOmissions.map(({ part }) => part).toSorted());
    const told = tellOmissions(plan.omissions).join('\n');
    for (const { what, command } of shortOmissions) expect(told).toContain(`${what}: ${command}`);
    for (const file of slowBrowserFiles) expect(told).toContain(file);
  });

  it.each(
    shortOmissions.filter(({ command }) => command.includes('--only')).map(({ part, command }) => [part, command]),
  )('the command listed for %s runs all of it', (part, command) => {
    const plan = planRun(command.split(' -- ')[1]?.split(' ') ?? [], false);
    expect(plan).toMatchObject({ names: [part], worlds: worlds.whole, excludedFiles: [], omissions: [] });
  });

  it('names files that exist, so that no slow file comes back under another name', () => {
    expect(slowBrowserFiles.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });

  it.each([
    ['--only', 'constructor'],
    ['--only', '__proto__'],
    ['--only', ''],
    ['--only'],
    ['--only=toString'],
    ['--al'],
  ])('does not run nothing, or everything, for a misspelt call: %s %s', (...args) => {
    expect(() =>
      planRun(
        args.filter((arg) => arg !== undefined),
        false,
      ),
    ).toThrow(/There (is no check|are)|npm test takes/);
  });

  it.each([
    ['firefox', 'FIREFOX_PATH', 'Firefox'],
    ['webkit', 'WEBKIT_DRIVER_PATH', 'WebKit'],
    ['proxy', 'NGINX_PATH', 'nginx'],
  ])('fails on a build server without the program of %s, and says how to get it', async (project, variable, name) => {
    vi.stubEnv(variable, '/nonexistent/program');
    const { env, missing } = await provideEngines([project]);
    expect(env).toEqual({});
    const failures = missingOnCi(missing, true);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toContain(`FAILED  ${project}: ${name} was not found. ${variable} names no file`);
    expect(failures[0]).toContain('apt-get install');
    expect(missingOnCi(missing, false)).toEqual([]);
  });

  it('looks for the program of each project that needs one', () => {
    expect(engineProjects).toEqual(['firefox', 'webkit', 'proxy']);
    expect(parts).toEqual(expect.arrayContaining([...engineProjects]));
  });

  it('says nothing of what was left out where nothing was', () => {
    expect(tellOmissions([])).toEqual([]);
  });
});
