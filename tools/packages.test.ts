// The packages as npm would publish them. A mistake here reaches everybody who installs them, and no other test sees it.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { checkPackage, createPackageFromTarballData, type Package } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findOrphans } from './prepack.mjs';
import { packageFolders } from './public-api.ts';
import { root } from './steps.mjs';

const folder = mkdtempSync(path.join(os.tmpdir(), 'holdfast-packages-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the packed packages', () => {
  const tarballs: Uint8Array<ArrayBuffer>[] = [];
  const packages: Package[] = [];
  beforeAll(async () => {
    const workspaces = packageFolders.map((name) => `--workspace=${name}`);
    await promisify(execFile)('npm', ['pack', ...workspaces, '--pack-destination', folder], { cwd: root });
    for (const name of readdirSync(folder)) tarballs.push(new Uint8Array(readFileSync(path.join(folder, name))));
    packages.push(...tarballs.map((tarball) => createPackageFromTarballData(tarball)));
  }, 180_000);

  /** Every file of both packages, without the folder of its package. */
  const files = (): readonly (readonly [string, Package, string])[] =>
    packages.flatMap((each) =>
      each.listFiles().map((file) => [file.replace(`/node_modules/${each.packageName}/`, ''), each, file] as const),
    );

  const textsOf = (document: string): readonly string[] =>
    files().flatMap(([file, each, whole]) => (file === document ? [each.readFile(whole)] : []));

  it('are both there', () => {
    expect(packages.map(({ packageName }) => packageName).toSorted()).toEqual(['@holdfast/server', 'holdfast']);
  });

  it('satisfy publint, its suggestions included', async () => {
    for (const tarball of tarballs) {
      const { messages, pkg } = await publint({ pack: { tarball: tarball.buffer }, strict: true });
      expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
    }
  }, 60_000);

  it('have types that every resolution of ES modules finds', async () => {
    for (const each of packages) {
      const result = await checkPackage(each);
      if (result.types === false) throw new Error(`${each.packageName} has no types`);
      const entrypoints = Object.values(result.entrypoints);
      expect(entrypoints.every(({ resolutions }) => resolutions.bundler.resolution?.isTypeScript)).toBe(true);
      // The packages are ES modules alone: CommonJS reaches them by `import()`, and TypeScript's `node10` knows no `exports`.
      const problems = result.problems.filter(
        (problem) => !('resolutionKind' in problem && /^node10$|^node16-cjs$/.test(problem.resolutionKind)),
      );
      expect(problems).toEqual([]);
    }
  }, 60_000);

  it('hold sources, build output and three documents, and nothing of tests', () => {
    const isExpected = (file: string): boolean =>
      /^(?:package\.json|README\.md|LICENSE)$|^src\/.+\.tsx?$|^dist\/.+\.(?:js|d\.ts)(?:\.map)?$/.test(file) &&
      !/\.test\.|\/testing\/(?!database\.)/.test(file);
    expect(
      files()
        .filter(([file]) => !isExpected(file))
        .map(([file]) => file),
    ).toEqual([]);
    for (const document of ['README.md', 'LICENSE', 'package.json']) expect(textsOf(document)).toHaveLength(2);
  });

  it('carry the license of the repository', () => {
    const license = readFileSync(path.join(root, 'LICENSE'), 'utf8');
    expect(textsOf('LICENSE')).toEqual([license, license]);
  });

  it('say where they come from', () => {
    for (const text of textsOf('package.json')) {
      const manifest = JSON.parse(text) as Record<string, unknown>;
      for (const field of ['description', 'license', 'homepage', 'bugs']) expect(manifest[field]).toMatch(/\w+/);
      expect(manifest['repository']).toMatchObject({ directory: expect.stringMatching(/^(?:client|server)$/) });
      expect(manifest['keywords']).toContain('refresh-token');
    }
  });

  it('have source maps that lead to sources in the package', () => {
    const maps = files().filter(([file]) => file.endsWith('.map'));
    expect(maps.length).toBeGreaterThan(400);
    const missing = maps.flatMap(([file, each, whole]) => {
      const { sources } = JSON.parse(each.readFile(whole)) as { readonly sources: readonly string[] };
      const targets = sources.map((source) => path.posix.join(path.posix.dirname(whole), source));
      return targets.filter((target) => !each.fileExists(target)).map((target) => `${file}: ${target}`);
    });
    expect(missing).toEqual([]);
  });

  it('name no path of the machine that built them', () => {
    const naming = files().filter(([, each, whole]) => each.readFile(whole).includes(root));
    expect(naming.map(([file]) => file)).toEqual([]);
  });
});

it('build output whose source is gone is found before it is packed', () => {
  const place = path.join(folder, 'moved');
  for (const file of ['src/kept.ts', 'src/web/view.tsx', 'dist/kept.js', 'dist/kept.d.ts.map', 'dist/web/view.d.ts']) {
    mkdirSync(path.dirname(path.join(place, file)), { recursive: true });
    writeFileSync(path.join(place, file), '');
  }
  expect(findOrphans(place)).toEqual([]);
  for (const file of ['moved.js', 'moved.js.map', 'web/moved.d.ts']) writeFileSync(path.join(place, 'dist', file), '');
  expect(findOrphans(place).toSorted()).toEqual(['dist/moved.js', 'dist/moved.js.map', 'dist/web/moved.d.ts']);
});
