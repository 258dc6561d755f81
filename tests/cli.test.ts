// The `holdfast` command, as an operator types it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signInNative } from './native-session.ts';
import {
  buildServer,
  refreshAt,
  runCommand,
  secret,
  serverEnvironment,
  startServer,
  user,
  type Environment,
} from './server-process.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

let database: TestDatabase;
let environment: Environment;
const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-cli-'));

beforeAll(async () => {
  buildServer();
  database = await createTestDatabase();
  environment = serverEnvironment(database.databaseUrl);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await database.drop();
});

it('takes a database from nothing to a user, a session and its end', async () => {
  expect(await runCommand(['migrate'], environment)).toMatchObject({ exitCode: 0 });
  const created = await runCommand(['users', 'create', '--username', user.username], environment, `${user.password}\n`);
  expect(created).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^[0-9a-f-]{36}\n$/) });
  const server = await startServer(environment);
  const session = await signInNative(server.url, user);
  expect((await refreshAt(server.url, session)).status).toBe(200);
  const revoked = await runCommand(['sessions', 'revoke', '--user', user.username], environment);
  expect(revoked.stdout).toBe('1 sessions have ended.\n');
  expect(await refreshAt(server.url, session)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  expect(await server.stop()).toBe(0);
});

it('stops at once while a resource server waits for news, and sends it on its way', async () => {
  const resourceServer = { id: 'api', secret: 'a-secret-of-a-resource-server-of-32-bytes' };
  const server = await startServer({
    ...environment,
    HOLDFAST_RESOURCE_SERVERS: JSON.stringify([resourceServer]),
    HOLDFAST_AUDIENCE: 'https://api.example',
  });
  const ask = (form: Readonly<Record<string, string>>): Promise<Response> =>
    fetch(`${server.url}/revocations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${resourceServer.secret}` },
      body: new URLSearchParams(form),
    });
  const { cursor } = (await (await ask({ wait: '0' })).json()) as { cursor: string };
  const waiting = ask({ wait: '60', after: cursor });
  // Answered on another connection while the first one waits: it has arrived.
  await ask({ wait: '0' });
  expect(await server.stop()).toBe(0);
  expect((await waiting).status).toBe(200);
});

describe('users', () => {
  const grace = { username: 'grace@example.org', password: 'compilers 1952' };
  const users = (command: string, input = ''): ReturnType<typeof runCommand> =>
    runCommand(['users', command, '--user', grace.username], environment, input);

  it('are listed, locked out, let in again, given another password and deleted', async () => {
    const created = await runCommand(
      ['users', 'create', '--username', grace.username, '--name', 'Grace'],
      environment,
      `${grace.password}\n`,
    );
    const sub = created.stdout.trim();
    const list = async (): Promise<string> => (await runCommand(['users', 'list'], environment)).stdout;
    expect(await list()).toContain(`${sub}  active    ${grace.username}  Grace\n`);

    const server = await startServer(environment);
    const session = await signInNative(server.url, grace);
    expect((await users('disable')).stdout).toBe(
      `${grace.username} cannot sign in any more.\nEvery session has ended.\n`,
    );
    expect(await refreshAt(server.url, session)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    await expect(signInNative(server.url, grace)).rejects.toThrow('400');
    expect(await list()).toContain(`${sub}  disabled  ${grace.username}`);

    expect((await users('enable')).stdout).toBe(`${grace.username} can sign in.\n`);
    await signInNative(server.url, grace);
    const changed = await users('set-password', 'a quieter password\n');
    expect(changed.stdout).toBe(`${grace.username} has a new password.\nEvery session has ended.\n`);
    await signInNative(server.url, { ...grace, password: 'a quieter password' });
    await server.stop();

    expect((await users('delete')).exitCode).toBe(0);
    expect(await list()).not.toContain(grace.username);
  });

  it('that do not exist, and passwords that may not be, are named without being repeated', async () => {
    const missing = await users('disable');
    expect(missing).toMatchObject({ exitCode: 1, stderr: 'holdfast: there is no user of this id or username\n' });
    expect((await runCommand(['users', 'disable'], environment)).stderr).toContain('--user is missing');
    const short = await runCommand(['users', 'set-password', '--user', user.username], environment, 'tiny-xy\n');
    expect(short).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('a password is') });
    expect(short.stderr).not.toContain('tiny-xy');
  });
});

describe('keys', () => {
  const rolesOf = (stdout: string): readonly string[] =>
    [...stdout.matchAll(/^(next|signing|previous) /gm)].map(([, role]) => role ?? '');

  it('rotate publishes the next key to a server that runs, and signs no user out', async () => {
    const server = await startServer({ ...environment, HOLDFAST_POLICY: '{"signingKeyPollSeconds":1}' });
    const session = await signInNative(server.url, user);
    const rotated = await runCommand(['keys', 'rotate'], environment);
    expect(rolesOf(rotated.stdout)).toEqual(['signing', 'next']);
    await expect.poll(() => publishedKeys(server.url), { timeout: 10_000 }).toBe(2);
    expect((await refreshAt(server.url, session)).status).toBe(200);
    await server.stop();
    expect(rolesOf((await runCommand(['keys', 'list'], environment)).stdout)).toEqual(['signing', 'next']);
  });

  it('rotate --compromised leaves one key, which signs', async () => {
    const rotated = await runCommand(['keys', 'rotate', '--compromised'], environment);
    expect(rolesOf(rotated.stdout)).toEqual(['signing']);
  });
});

async function publishedKeys(url: string): Promise<number> {
  const answer = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as { keys: readonly unknown[] };
  return answer.keys.length;
}

describe('configuration', () => {
  it('names every field that is wrong at once, and prints no secret', async () => {
    const file = path.join(folder, 'holdfast.json');
    writeFileSync(file, JSON.stringify({ issuer: 1, databaseUrl: 'postgres://u:hunter2@h/d', isuer: 'x', port: 1e6 }));
    const { exitCode, stderr } = await runCommand(['serve', '--config', file], { HOLDFAST_CLIENTS: 'x-private-x' });
    expect(exitCode).toBe(1);
    for (const named of [
      'issuer is a string',
      'isuer is no field',
      'port is',
      'clients (HOLDFAST_CLIENTS)',
      'secret is',
    ]) {
      expect(stderr).toContain(named);
    }
    expect(stderr).not.toContain('hunter2');
    expect(stderr).not.toContain('x-private-x');
  });

  it('comes from a file, with the secret in another one', async () => {
    const secretFile = path.join(folder, 'secret');
    writeFileSync(secretFile, `${secret}\n`);
    const file = path.join(folder, 'whole.json');
    const clients: unknown = JSON.parse(environment['HOLDFAST_CLIENTS'] ?? '');
    const fields = { issuer: environment['HOLDFAST_ISSUER'], databaseUrl: database.databaseUrl, secretFile, clients };
    writeFileSync(file, JSON.stringify({ ...fields, port: 0, logLevel: 'info' }));
    const server = await startServer({ HOLDFAST_CONFIG: file });
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    expect(await server.stop('SIGINT')).toBe(0);
  });

  it('is told apart from a wrong call by its exit code', async () => {
    expect((await runCommand(['sereve'], {})).exitCode).toBe(2);
    expect((await runCommand(['serve', '--prot', '1'], {})).exitCode).toBe(2);
    expect(await runCommand(['--help'], {})).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('HOLDFAST_SECRET_FILE'),
    });
  });

  // Names that every object has: looked up carelessly, each would be taken for a command.
  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    '%s is no command: usage, exit code 2',
    async (name) => {
      expect(await runCommand([name], {})).toMatchObject({
        exitCode: 2,
        stdout: '',
        stderr: `holdfast: there is no command "${name}"\nholdfast --help lists the commands.\n`,
      });
    },
  );
});

describe('doctor', () => {
  it('finds nothing that keeps a healthy server from running', async () => {
    const { stdout } = await runCommand(['doctor'], environment);
    // The throw-away database does not wait for the disk, and says so.
    const failed = [...stdout.matchAll(/^fail  (\S+)/gm)]
      .map(([, about]) => about)
      .filter((about) => about !== 'durability');
    expect(failed).toEqual([]);
    for (const about of ['configuration', 'database', 'primary', 'clock', 'settings', 'schema', 'signing keys']) {
      expect(stdout).toMatch(new RegExp(`^ok    ${about} `, 'm'));
    }
  });

  it.each([
    [
      'a database that is not there',
      { HOLDFAST_DATABASE_URL: 'postgres://u:hunter2@127.0.0.1:1/d' },
      /^fail  database .*ECONNREFUSED/m,
    ],
    [
      'another master secret',
      { HOLDFAST_SECRET: 'a wrong master secret of 32 bytes or more' },
      /^fail  signing keys /m,
    ],
    ['an issuer without TLS', { HOLDFAST_ISSUER: 'http://id.example' }, /^fail  issuer /m],
    [
      'a policy that cannot be',
      { HOLDFAST_POLICY: '{"rotationIntervalMs":-1}' },
      /^fail  configuration .*rotationIntervalMs/m,
    ],
    ['no configuration', { HOLDFAST_ISSUER: '' }, /^fail  configuration [^]*issuer is missing/m],
  ])('names the mend for %s, and no secret', async (_case, wrong, expected) => {
    const { exitCode, stdout, stderr } = await runCommand(['doctor'], { ...environment, ...wrong });
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(expected);
    expect(stdout).toContain('mend: ');
    for (const hidden of ['hunter2', secret, 'a wrong master secret']) expect(stdout + stderr).not.toContain(hidden);
  });
});
