// The packed packages in an empty folder: what works in this repository may rest on packages that only this repository has.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startExample, startExampleServer } from '../example-process.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(path.join(os.tmpdir(), 'holdfast-packed-'));
const app = path.join(folder, 'app');

/** Names and versions of packages that users of some doors have besides, as this repository has them. */
function versionsOf(manifest: string, names: readonly string[]): readonly string[] {
  const { dependencies, devDependencies } = readManifest(path.join(root, manifest));
  return names.map((name) => `${name}@${dependencies?.[name] ?? devDependencies?.[name]}`);
}

type Manifest = {
  readonly name: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
};

const readManifest = (file: string): Manifest => JSON.parse(readFileSync(file, 'utf8')) as Manifest;

const start = promisify(execFile);

/** The output of a program in the app's folder, whether it succeeds or not. */
const outputOf = (command: string, args: readonly string[]): Promise<string> =>
  start(command, args, { cwd: app }).then(
    ({ stdout }) => stdout,
    ({ message, stdout = '' }: Error & { readonly stdout?: string }) => `${message}\n${stdout}`,
  );

beforeAll(async () => {
  mkdirSync(app);
  writeFileSync(path.join(app, 'package.json'), '{ "type": "module", "private": true }');
  await start('npm', ['pack', '--workspace=client', '--workspace=server', '--pack-destination', folder], { cwd: root });
  const tarballs = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  const packages = [
    ...tarballs.map((name) => path.join('..', name)),
    ...versionsOf('package.json', ['typescript', '@types/node', 'axios']),
    ...versionsOf('client/package.json', ['ky', 'react', '@types/react', 'react-dom', '@types/react-dom']),
    ...versionsOf('examples/package.json', ['sirv']),
  ];
  await start('npm', ['install', '--prefer-offline', '--loglevel=error', ...packages], { cwd: app });
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The paths that an app can import, as the installed packages name them. */
const doors = (): readonly string[] =>
  ['holdfast', '@holdfast/server'].flatMap((name) =>
    Object.keys(readManifest(path.join(app, 'node_modules', name, 'package.json')).exports ?? {}).map((subpath) =>
      path.posix.join(name, subpath),
    ),
  );

it('every door can be imported in Node; the one for iOS needs Expo', async () => {
  const script = `
    for (const door of ${JSON.stringify(doors())})
      await import(door).then(() => console.log(door), ({ message }) => console.log(door, message.split("'")[1]));`;
  const lines = (await outputOf(process.execPath, ['--input-type=module', '--eval', script])).trim().split('\n');
  expect(lines.length).toBeGreaterThan(10);
  expect(lines).toEqual(doors().map((door) => (door === 'holdfast/expo' ? `${door} expo-crypto` : door)));
});

it('the command is installed', async () => {
  expect(await outputOf('npm', ['exec', '--offline', '--', 'holdfast', '--help'])).toContain(
    'Usage: holdfast <command>',
  );
});

/** A program of each kind, with no more types than it has. */
const programs = [
  {
    kind: 'browser',
    options: { moduleResolution: 'bundler', module: 'esnext', lib: ['es2023', 'dom', 'dom.iterable'], types: [] },
    code: `
      import axios from 'axios';
      import { createApiClient, createAuthService, type SessionSnapshot } from 'holdfast';
      import { attach } from 'holdfast/axios';
      import { expo } from 'holdfast/expo';
      import { attach as attachKy } from 'holdfast/ky';
      import { AuthProvider, useSession } from 'holdfast/react';
      import { createTimeline } from 'holdfast/timeline';
      import { passkey, web } from 'holdfast/web';
      import ky from 'ky';

      const auth = createAuthService({ issuer: 'https://a.example', clientId: 'app', platform: web() });
      const phone = createAuthService({ issuer: 'https://a.example', clientId: 'app', platform: expo() });
      export const snapshot: SessionSnapshot = auth.getSnapshot();
      export const session: () => SessionSnapshot = useSession;
      export const provider = AuthProvider({ auth, children: null });
      export const api = createApiClient({ baseUrl: 'https://a.example', auth: phone });
      export const done = [attach(axios, auth), attachKy(ky, auth), createTimeline().mount(document.body)];
      await auth.signIn(passkey());
      await auth.fetch('/me', { method: 'POST', body: new FormData(), headers: [['a', 'b']] });
      await api.post('/me', { body: new Blob([]), headers: new Headers() }).json<{ name: string }>();`,
  },
  {
    kind: 'Node',
    options: { moduleResolution: 'nodenext', module: 'nodenext', lib: ['es2023'], types: ['node'] },
    code: `
      import { createServer } from 'node:http';
      import axios from 'axios';
      import { createHoldfast, HoldfastServerError } from '@holdfast/server';
      import { createResourceGuard, expressGuard } from '@holdfast/server/resource';
      import { createTestDatabase } from '@holdfast/server/testing';
      import { createApiClient, createAuthService } from 'holdfast';
      import { attach } from 'holdfast/axios';
      import { attach as attachKy } from 'holdfast/ky';
      import { node } from 'holdfast/node';
      import ky from 'ky';

      const { databaseUrl } = await createTestDatabase('postgres://localhost');
      const holdfast = await createHoldfast({ issuer: 'https://a.example', databaseUrl, secret: '', clients: [] });
      createServer(holdfast.listener);
      const { rows } = await holdfast.database.query<{ one: number }>('SELECT 1 AS one');
      export const one: number | undefined = rows[0]?.one;
      export const error: Error = new HoldfastServerError('unavailable', '');
      export const guard = expressGuard(createResourceGuard({ issuer: 'https://a.example', audience: 'https://b.example' }));
      const auth = createAuthService({ issuer: 'https://a.example', clientId: 'cli', platform: node({ name: 'cli' }) });
      export const attached = [attach(axios, auth), attachKy(ky, auth)];
      await auth.fetch(new URL('https://a.example/me'), { headers: { a: 'b' }, makeBody: () => 'text' });
      await createApiClient({ baseUrl: 'https://a.example', auth }).post('/me', { body: 'text' });`,
  },
];

it.each(programs)(
  'types are complete for a program in $kind, checked inside the packages too',
  async ({ kind, options, code }) => {
    writeFileSync(path.join(app, `${kind}.ts`), code);
    const compilerOptions = { ...options, target: 'es2023', strict: true, noEmit: true, skipLibCheck: false };
    const config = path.join(app, `tsconfig.${kind}.json`);
    writeFileSync(config, JSON.stringify({ compilerOptions, files: [`${kind}.ts`] }));
    expect(await outputOf(process.execPath, ['node_modules/typescript/bin/tsc', '-p', config])).toBe('');
  },
  60_000,
);

it('one of the programs uses each door', () => {
  const imported = new Set(
    programs.flatMap(({ code }) => [...code.matchAll(/from '([^']+)'/g)].map(([, name]) => name)),
  );
  expect(doors().filter((door) => !imported.has(door))).toEqual([]);
});

it('a copy of the examples compiles and runs with nothing of this repository', async () => {
  cpSync(path.join(root, 'examples'), path.join(app, 'examples'), {
    recursive: true,
    filter: (source) => !/[\\/](?:dist|node_modules|tsconfig\.json|vite\.config\.ts)$/u.test(source),
  });
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    lib: ['es2023', 'dom', 'dom.iterable'],
    types: ['node'],
    jsx: 'react-jsx',
    strict: true,
    noEmit: true,
    allowJs: true,
    checkJs: true,
    skipLibCheck: true,
  };
  const config = path.join(app, 'tsconfig.examples.json');
  writeFileSync(config, JSON.stringify({ compilerOptions, include: ['examples'] }));
  expect(await outputOf(process.execPath, ['node_modules/typescript/bin/tsc', '-p', config])).toBe('');

  const server = await startExampleServer('node examples/server.js', {}, app);
  const environment = { ISSUER: server.url, PORT: '0', XDG_STATE_HOME: folder, HOME: folder };
  const api = startExample('node examples/api/api.js', environment, app);
  const [, url = ''] = await api.printed(/^(http:\S+)$/mu);
  const client = startExample('node examples/api/client.js', { ...environment, API: url }, app);
  expect([await client.ended, client.output()]).toEqual([
    0,
    'without a session: 401\nwith the session: 200\nwith its token after the sign-out: 401\n',
  ]);
  await api.stop();
  expect(await server.stop()).toBe(0);
}, 120_000);
