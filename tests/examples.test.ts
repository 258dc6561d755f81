// The Node programs of examples/, run by the commands that examples/README.md prints.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  ada,
  buildPackages,
  startExample,
  startExampleServer,
  startOnTerminal,
  type Environment,
  type Example,
} from './example-process.ts';

/** The programs keep their sessions here. */
const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-examples-'));
/** A program refreshes after 8 s, and again 8 s later. */
const tokenSeconds = 12;
let server: Example & { readonly url: string };
let environment: Environment;

beforeAll(async () => {
  await buildPackages();
  // Nothing is given but a short life of tokens: the program starts its own PostgreSQL.
  server = await startExampleServer('node examples/server.js', {
    ACCESS_TOKEN_SECONDS: String(tokenSeconds),
    TMPDIR: folder,
  });
  environment = { ISSUER: server.url, XDG_STATE_HOME: folder, HOME: folder };
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a program to its end, and returns its output. */
async function run(command: string): Promise<string> {
  const program = startExample(command, environment);
  expect([await program.ended, program.output()]).toEqual([0, expect.anything()]);
  return program.output();
}

it('axios and ky: the requests go on after the token has expired, with one refresh each', async () => {
  const [refreshes, endings] = [server.count('refresh answered'), server.count('session ended')];
  await Promise.all(
    ['axios', 'ky'].map(async (library) => {
      const output = await run(`node examples/${library}/main.js`);
      expect(output).toContain(`${library}: 200, 200, 200, 200, 200\n`);
      expect(output).toMatch(/^refresh 1 .* succeeded/mu);
    }),
  );
  // Both sign out at the end. The server prints each line in order, so the refreshes are printed by then.
  await expect.poll(() => server.count('session ended')).toBe(endings + 2);
  expect(server.count('refresh answered')).toBe(refreshes + 2);
});

it('node-cli: two processes share one session and one refresh', async () => {
  const { login, whoami, logout } = {
    login: 'node examples/node-cli/cli.js login',
    whoami: 'node examples/node-cli/cli.js whoami',
    logout: 'node examples/node-cli/cli.js logout',
  };
  const before = startExample(whoami, environment);
  expect(await before.ended).toBe(1);
  expect(before.output()).toContain('Not signed in.');

  const program = startExample(login, environment);
  await program.printed(/User name: $/u);
  program.type(ada.username);
  await program.printed(/Password: $/u);
  program.type(ada.password);
  expect(await program.ended).toBe(0);
  expect(program.output()).toMatch(/^Ada$/mu);
  expect(program.output()).not.toContain(ada.password);

  const [refreshes, endings] = [server.count('refresh answered'), server.count('session ended')];
  await pause(tokenSeconds * 1_000);
  const both = [startExample(whoami, environment), startExample(whoami, environment)];
  expect(await Promise.all(both.map(({ ended }) => ended))).toEqual([0, 0]);
  for (const each of both) expect(each.output()).toMatch(/^Ada$/mu);

  await run(logout);
  await expect.poll(() => server.count('session ended')).toBe(endings + 1);
  expect(server.count('refresh answered')).toBe(refreshes + 1);
  expect(await startExample(whoami, environment).ended).toBe(1);
});

it('node-cli: on a terminal the password is not shown, and Ctrl-C and Ctrl-D end the question', async () => {
  const login = 'node examples/node-cli/cli.js login';
  const program = startOnTerminal(login, environment);
  await program.printed(/User name: /u);
  program.type(ada.username, '\r');
  await program.printed(/Password: /u);
  program.type(ada.password, '\r');
  await program.printed(/^Ada\r?$/mu);
  expect(await program.ended).toBe(0);
  expect(program.output()).toContain(ada.username);
  expect(program.output()).not.toContain('correct');
  for (const key of ['\u0003', '\u0004']) {
    const given = startOnTerminal(login, environment);
    await given.printed(/User name: /u);
    given.type(ada.username, '\r');
    await given.printed(/Password: /u);
    given.type('', key);
    expect(await given.ended).toBe(1);
  }
});

it('api: a token of a session that was signed out is refused before it expires', async () => {
  const api = startExample('node examples/api/api.js', { ISSUER: server.url, PORT: '0' });
  const [, url = ''] = await api.printed(/^(http:\S+)$/mu);
  environment = { ...environment, API: url };
  expect(await run('node examples/api/client.js')).toBe(
    'without a session: 401\nwith the session: 200\nwith its token after the sign-out: 401\n',
  );
  const response = await fetch(`${url}/notes`);
  expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/u);
  await api.stop();
});

it('server.js: Ctrl-C ends it and its PostgreSQL, and no data is left', async () => {
  const isItsFolder = (name: string): boolean => name.startsWith('holdfast-example-');
  expect(readdirSync(folder).filter(isItsFolder)).toHaveLength(1);
  expect(await server.stop()).toBe(0);
  expect(readdirSync(folder).filter(isItsFolder)).toEqual([]);
});
