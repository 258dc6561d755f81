import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthService, type AuthService } from '../index.ts';
import { cryptoContract, localCrypto } from '../testing/crypto-contract.ts';
import { deviceSecretContract } from '../testing/device-secret-contract.ts';
import { outboxContract } from '../testing/outbox-contract.ts';
import { createFolder } from '../testing/processes.ts';
import { startResource } from '../testing/resource.ts';
import { announceContract, localAnnouncer } from '../testing/signals-contract.ts';
import { storedSession } from '../testing/stored-session.ts';
import { fileDeviceSecret } from './device-secret.ts';
import { defaultFolder } from './folder.ts';
import { node } from './index.ts';
import { fileOutbox } from './outbox.ts';
import { assertOwn } from './private-path.ts';
import { fileVault } from './vault.ts';

outboxContract('the file outbox', () => {
  const { folder, remove } = createFolder();
  return Promise.resolve({
    open: () => fileOutbox(path.join(folder, 'app.outbox.json'), () => {}),
    close: () => Promise.resolve(remove()),
  });
});

deviceSecretContract('a file', () => {
  const { folder, remove } = createFolder();
  const file = path.join(folder, 'app.device.json');
  return Promise.resolve({
    open: () => Promise.resolve(fileDeviceSecret(file, () => {})),
    close: () => Promise.resolve(remove()),
  });
});

let folder: string;
let remove = (): void => {};

cryptoContract('Node', () => localCrypto(node({ name: 'cli', folder })));
announceContract('a program on Node', false, () =>
  Promise.resolve({ open: () => localAnnouncer(node({ name: 'cli', folder })), close: () => Promise.resolve() }),
);

const services: AuthService[] = [];
beforeEach(() => {
  ({ folder, remove } = createFolder());
});
afterEach(() => {
  for (const service of services.splice(0)) service.dispose();
  remove();
});

/** A token endpoint that rotates the refresh token at every use and refuses every used one. */
async function startIssuer() {
  let serial = 0;
  return startResource(({ path, body }, response) => {
    const form = new URLSearchParams(body);
    const answer = (status: number, json: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    if (path === '/authorize-challenge') return answer(200, { authorization_code: 'code' });
    if (path === '/revoke') return answer(200, {});
    if (path !== '/token') return answer(200, {});
    const isSpent = form.get('grant_type') === 'refresh_token' && form.get('refresh_token') !== `refresh-${serial}`;
    if (isSpent) return answer(400, { error: 'invalid_grant', reason: 'reuse' });
    serial++;
    const tokens = { access_token: `access-${serial}`, refresh_token: `refresh-${serial}`, token_type: 'Bearer' };
    return answer(200, { ...tokens, expires_in: 900, sid: 'session-1', sub: 'ada' });
  });
}

function open(issuer: string): AuthService {
  const auth = createAuthService({ issuer, clientId: 'cli', platform: node({ name: 'cli', folder }) });
  services.push(auth);
  return auth;
}

describe('a command-line program', () => {
  it('signs in once, and the next command continues the session', async () => {
    const issuer = await startIssuer();
    await open(issuer.url).signIn({ username: 'ada', password: 'secret' });
    const next = open(issuer.url);
    expect(await next.ready()).toMatchObject({ status: 'active', user: { sub: 'ada' } });
    expect(await next.getAccessToken()).toBe('access-1');
    await issuer.close();
  });

  it('stays signed in when started many times at once at expiry, using each refresh token once', async () => {
    const issuer = await startIssuer();
    await open(issuer.url).signIn({ username: 'ada', password: 'secret' });
    const commands = Array.from({ length: 6 }, () => open(issuer.url));
    await Promise.all(commands.map((command) => command.ready()));
    for (const command of commands) command.extend();
    const isRenewed = (command: AuthService): boolean => {
      const snapshot = command.getSnapshot();
      return snapshot.status === 'active' && snapshot.tokenNumber > 1 && !snapshot.isRefreshing;
    };
    await vi.waitUntil(() => commands.every(isRenewed), { timeout: 20_000 });
    expect(issuer.seen.filter(({ body }) => body.includes('grant_type=refresh_token'))).toHaveLength(6);
    await issuer.close();
  }, 30_000);

  it('signs out for the next command as well', async () => {
    const issuer = await startIssuer();
    const auth = open(issuer.url);
    await auth.signIn({ username: 'ada', password: 'secret' });
    await auth.signOut();
    expect(await open(issuer.url).ready()).toEqual({ status: 'signed-out', reason: 'user' });
    await issuer.close();
  });

  it('signs out without a network and ends, leaving the revocation for the next command', async () => {
    const outfile = path.join(folder, 'command.mjs');
    const contents = `
      import { adopt, createAuthService } from '../index.ts';
      import { node } from './index.ts';
      const platform = node({ name: 'cli', folder: ${JSON.stringify(folder)} });
      const auth = createAuthService({ issuer: 'http://127.0.0.1:9', clientId: 'cli', platform });
      await auth.ready();
      await adopt(auth, { access_token: 'access', refresh_token: 'refresh', expires_in: 900 });
      await auth.signOut();`;
    const stdin = { contents, resolveDir: import.meta.dirname };
    await build({ stdin, outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' });
    const { status, stderr } = spawnSync(process.execPath, [outfile], { encoding: 'utf8', timeout: 30_000 });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(await node({ name: 'cli', folder }).outbox.list()).toEqual([{ sid: null, refreshToken: 'refresh' }]);
  });

  it('keeps the sessions of two names separate', async () => {
    const inside = path.join(folder, 'new', 'deep');
    const session = { session: null, endedReason: 'user' } as const;
    await node({ name: 'one', folder: inside }).vault.compareAndSwap(0, session);
    expect(await node({ name: 'two', folder: inside }).vault.read()).toBeNull();
    expect(readdirSync(inside)).toEqual(['one.json']);
  });

  it.runIf(process.getuid)('creates a folder that only its user may open', () => {
    const inside = path.join(folder, 'new', 'deep');
    node({ name: 'one', folder: inside });
    expect([path.dirname(inside), inside].map((each) => statSync(each).mode & 0o777)).toEqual([0o700, 0o700]);
  });
});

describe('an unsafe place is refused when the program starts', () => {
  it.each(['', '..', '../x', 'a/b', 'a\\b', 'a.b', '-x', 'x'.repeat(65)])('the name %j', (name) => {
    expect(() => node({ name, folder })).toThrow(TypeError);
  });

  it.runIf(process.getuid)('a folder that others may write to', () => {
    chmodSync(folder, 0o770);
    expect(() => node({ name: 'cli', folder })).toThrow(`others may write to the folder ${folder}`);
  });

  it('a file in place of the folder', () => {
    const file = path.join(folder, 'file');
    writeFileSync(file, '');
    expect(() => node({ name: 'cli', folder: file })).toThrow(expect.objectContaining({ code: 'storage-unavailable' }));
  });

  it('a folder of another user', () => {
    const refusal = expect.objectContaining({ code: 'storage-unavailable' });
    expect(() => assertOwn('the folder', { uid: 1_001 }, 1_000)).toThrow(refusal);
    expect(() => assertOwn('the folder', { uid: 1_001 }, 0)).toThrow(refusal);
    for (const uid of [1_000, 0]) expect(() => assertOwn('the folder', { uid }, 1_000)).not.toThrow();
  });
});

const refusal = (place: string) => ({
  code: 'storage-unavailable',
  isRetryable: false,
  message: expect.stringContaining(place) as string,
});

describe('a session file that the user has to repair', () => {
  const file = (): string => path.join(folder, 'cli.json');
  const faults: readonly (readonly [string, () => void])[] = [
    ['a folder is in its place', () => mkdirSync(file())],
    ['it is a link', () => symlinkSync(path.join(folder, 'elsewhere.json'), file())],
    ['a newer version wrote it', () => writeFileSync(file(), '{"format":2}', { mode: 0o600 })],
  ];

  it.each(faults)('%s: every call rejects at once and names the file, with one warning', async (_name, spoil) => {
    spoil();
    const issuer = await startIssuer();
    const warnings: string[] = [];
    const platform = node({ name: 'cli', folder, onWarning: (message) => warnings.push(message) });
    const auth = createAuthService({ issuer: issuer.url, clientId: 'cli', platform });
    services.push(auth);
    const calls = [auth.ready(), auth.getAccessToken(), auth.fetch(`${issuer.url}/notes`)];
    for (const call of calls) await expect(call).rejects.toMatchObject(refusal(file()));
    await expect(auth.getAccessToken()).rejects.toMatchObject(refusal(file()));
    expect(auth.getSnapshot()).toEqual({ status: 'restoring' });
    expect(warnings).toEqual([expect.stringContaining(file())]);
    expect(issuer.seen.filter(({ path }) => path !== '/revoke')).toEqual([]);
    await issuer.close();
  });

  it('works again in the same process once it is repaired', async () => {
    const issuer = await startIssuer();
    await open(issuer.url).signIn({ username: 'ada', password: 'secret' });
    renameSync(file(), `${file()}.aside`);
    mkdirSync(file());
    const auth = open(issuer.url);
    await expect(auth.ready()).rejects.toMatchObject(refusal(file()));
    rmdirSync(file());
    renameSync(`${file()}.aside`, file());
    await vi.waitUntil(() => auth.getSnapshot().status === 'active', { timeout: 10_000 });
    expect(await auth.getAccessToken()).toBe('access-1');
    await issuer.close();
  });

  it('makes a sign-out reject, and signs out once it is repaired', async () => {
    const issuer = await startIssuer();
    await open(issuer.url).signIn({ username: 'ada', password: 'secret' });
    renameSync(file(), `${file()}.aside`);
    mkdirSync(file());
    const auth = open(issuer.url);
    await expect(auth.signOut()).rejects.toMatchObject({ code: 'storage-unavailable' });
    rmdirSync(file());
    renameSync(`${file()}.aside`, file());
    await vi.waitUntil(() => auth.getSnapshot().status === 'signed-out', { timeout: 10_000 });
    await issuer.close();
  });

  it.each(['device', 'outbox'])('a broken %s file: the user gets a warning, and can sign in and out', async (which) => {
    mkdirSync(path.join(folder, `cli.${which}.json`));
    const issuer = await startIssuer();
    const warnings: string[] = [];
    const platform = node({ name: 'cli', folder, onWarning: (message) => warnings.push(message) });
    const auth = createAuthService({ issuer: issuer.url, clientId: 'cli', platform });
    services.push(auth);
    await auth.ready();
    await auth.signIn({ username: 'ada', password: 'secret' });
    await auth.signOut();
    expect(warnings).toEqual([expect.stringContaining(`cli.${which}.json`)]);
    await issuer.close();
  });
});

/**
 * Runs a command in its own process. A test that runs as root runs it as another user than the owner of its session
 * file.
 */
async function runCommand(issuer: string, statements: string) {
  const outfile = path.join(folder, 'command.mjs');
  const contents = `
    import { createAuthService } from '../index.ts';
    import { node } from './index.ts';
    const platform = node({ name: 'cli', folder: ${JSON.stringify(path.join(folder, 'state'))} });
    const auth = createAuthService({ issuer: '${issuer}', clientId: 'cli', platform });
    const say = ({ code, isRetryable, message }) => console.log(JSON.stringify({ code, isRetryable, message }));
    ${statements}
    auth.dispose();`;
  const stdin = { contents, resolveDir: import.meta.dirname };
  await build({ stdin, outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' });
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chmodSync(folder, 0o755);
  const options = { encoding: 'utf8', timeout: 30_000, ...(isRoot && { uid: NOBODY, gid: NOBODY }) } as const;
  return spawnSync(process.execPath, [outfile], options);
}

const NOBODY = 65_534;

describe.runIf(process.getuid)('missing rights', () => {
  /** A state folder of the user who runs the command. */
  function prepare(): { readonly state: string; readonly file: string; readonly own: (each: string) => void } {
    const state = path.join(folder, 'state');
    mkdirSync(state, { mode: 0o700 });
    const own = (each: string): void => (process.getuid?.() === 0 ? chownSync(each, NOBODY, NOBODY) : undefined);
    own(state);
    return { state, file: path.join(state, 'cli.json'), own };
  }

  it('for a file that `sudo` made: the command ends with an error that names the file', async () => {
    const { file } = prepare();
    writeFileSync(file, '{}', { mode: process.getuid?.() === 0 ? 0o600 : 0 });
    const { stdout, stderr } = await runCommand('http://127.0.0.1:9', 'await auth.ready().catch(say);');
    expect(JSON.parse(stdout)).toMatchObject(refusal(file));
    expect(stderr).toContain(file);
  });

  it('to write to the folder: no refresh rotates a token whose successor cannot be stored', async () => {
    const { state, file, own } = prepare();
    const issuer = await startIssuer();
    await fileVault(file, () => {}).compareAndSwap(0, { session: storedSession({ access: null }), endedReason: null });
    own(file);
    chmodSync(state, 0o500);
    const { stdout } = await runCommand(issuer.url, `await auth.getAccessToken().catch(say);`);
    expect(JSON.parse(stdout)).toMatchObject(refusal(file));
    expect(issuer.seen).toEqual([]);
    chmodSync(state, 0o700);
    await issuer.close();
  });
});

describe('the default folder', () => {
  const home = path.resolve('/home/ada');
  const cases: readonly (readonly [NodeJS.Platform, NodeJS.ProcessEnv, string])[] = [
    ['linux', {}, path.join(home, '.local', 'state', 'holdfast')],
    ['linux', { XDG_STATE_HOME: path.resolve('/state') }, path.join(path.resolve('/state'), 'holdfast')],
    ['linux', { XDG_STATE_HOME: 'relative' }, path.join(home, '.local', 'state', 'holdfast')],
    ['darwin', {}, path.join(home, 'Library', 'Application Support', 'holdfast')],
    ['win32', { LOCALAPPDATA: 'C:\\Local' }, path.join('C:\\Local', 'holdfast')],
    ['win32', {}, path.join(home, 'AppData', 'Local', 'holdfast')],
  ];
  it.each(cases)('%s %j', (platform, env, expected) => {
    expect(defaultFolder(env, platform, home)).toBe(expected);
  });
});

describe('the ports that need no file', () => {
  it('make the code verifier and code challenge of RFC 7636', async () => {
    const { randomToken, sha256, random } = node({ name: 'cli', folder });
    expect(randomToken()).toMatch(/^[\w-]{43}$/u);
    expect(randomToken()).not.toBe(randomToken());
    // RFC 7636, appendix B.
    expect(await sha256('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk')).toBe(
      'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    );
    expect(random()).toBeLessThan(1);
  });
});
