// A sign-in page must not reveal which accounts exist: neither by its answer nor by the work before it.
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createKeyRing } from '../kernel/key-ring.ts';
import { resolvePolicy } from '../kernel/policy.ts';
import { closeConnections, openConnections, type Connections } from '../postgres/connections.ts';
import { openStore } from '../postgres/store.ts';
import { newVerifier, SECRET, startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { createPasswordLimits } from './password-limits.ts';
import { createPasswords } from './passwords.ts';
import { createUsers, type PasswordSignIn } from './users.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const PASSWORD = 'correct horse battery';
/** Wrong guesses, labelled by the fact that the answer could reveal. */
const GUESSES: readonly (readonly [what: string, username: string, password: string])[] = [
  ['a user who exists', 'ada', 'a wrong password'],
  ['a user who does not exist', 'nobody', 'a wrong password'],
  ['a user who does not exist, with the password of another', 'nobody else', PASSWORD],
  ['a disabled user', 'disabled', 'a wrong password'],
  ['a disabled user, with the right password', 'disabled', PASSWORD],
  ['a user who signs in with passkeys alone', 'passkeys', 'a wrong password'],
  ['a user whose name is 300 characters long', 'x'.repeat(300), 'a wrong password'],
];

let database: TestDatabase;
let server: TestServer;
let connections: Connections;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
  for (const username of ['ada', 'disabled', 'passkeys']) {
    const { sub } = await server.holdfast.users.create({ username, password: PASSWORD, name: username });
    if (username === 'disabled') await server.holdfast.users.disable(sub);
    if (username === 'passkeys')
      await server.holdfast.database.query('UPDATE holdfast.users SET password_hash = NULL WHERE id = $1', [sub]);
  }
  connections = openConnections(database.databaseUrl, resolvePolicy(), () => {});
});
afterAll(async () => {
  await closeConnections(connections);
  await server.holdfast.close();
  await database.drop();
});

/** Creates the real sign-in and records each of its steps: every use of the store and of the password hash. */
async function createWatchedSignIn(): Promise<{ readonly steps: string[]; readonly signIn: PasswordSignIn }> {
  const steps: string[] = [];
  const watch = <Part extends object>(name: string, part: Part): Part =>
    new Proxy(part, {
      get: (target, member) => {
        const value: unknown = Reflect.get(target, member);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          steps.push(`${name}.${String(member)}`);
          return Reflect.apply(value, target, args);
        };
      },
    });
  const policy = resolvePolicy();
  const store = await openStore(connections, policy);
  const passwords = watch('passwords', await createPasswords(policy));
  const keyRing = createKeyRing(SECRET);
  const { passwordSignIn } = createUsers({
    store: watch('users', store.users),
    passwords,
    passwordLimits: createPasswordLimits(watch('attempts', store.attempts), keyRing, policy),
    policy,
    report: () => {},
    isKnownPassword: () => false,
    endMany: async () => ({ count: 0, isComplete: true }),
  });
  return { steps, signIn: passwordSignIn };
}

describe('a guess at the password of', () => {
  test.each(GUESSES)('%s gets the same answer as any other, to the last byte', async (_what, username, password) => {
    const { challenge } = newVerifier();
    const form = { client_id: 'native', code_challenge: challenge, code_challenge_method: 'S256' };
    const { status, headers, body } = await server.post('/authorize-challenge', { ...form, username, password });
    const usual = await server.post('/authorize-challenge', { ...form, username: 'ada', password: 'wrong' });
    expect({ status, headers, body }).toEqual({ status: usual.status, headers: usual.headers, body: usual.body });
    expect(body).toEqual({
      error: 'access_denied',
      error_description: 'The credentials are wrong',
      reason: 'credentials',
    });
  });

  test.each(GUESSES)(
    '%s takes the same steps: one look-up, one hash, nothing after it',
    async (_what, name, password) => {
      const { steps, signIn } = await createWatchedSignIn();
      expect(await signIn.authenticate(name, password, '192.0.2.9')).toEqual({ kind: 'refused' });
      expect(steps).toEqual(['attempts.isFamiliar', 'attempts.take', 'users.findByUsernameKey', 'passwords.verify']);
    },
  );

  // The hash takes nearly all of the time. The control shows that a look-up without a hash would be noticed.
  test('any account takes as long as a guess at an existing user', async () => {
    const timesMs = new Map<string, number[]>();
    const measure = async (what: string, path: string, form: Readonly<Record<string, string>>): Promise<void> => {
      const startedAtMs = performance.now();
      const { status } = await server.post(path, form);
      timesMs.set(what, [...(timesMs.get(what) ?? []), performance.now() - startedAtMs]);
      expect(status).toBe(400);
    };
    const form = { client_id: 'native', code_challenge: newVerifier().challenge, code_challenge_method: 'S256' };
    await server.holdfast.database.query('TRUNCATE holdfast.password_attempts');
    // Interleave the cases in varying order, so that load on the machine slows all of them alike.
    for (let round = 0; round < 21; round++) {
      for (let step = 0; step < GUESSES.length; step++) {
        const [what = '', username = '', password = ''] = GUESSES[(step * 3 + round) % GUESSES.length] ?? [];
        await measure(what, '/authorize-challenge', { ...form, username, password });
      }
      await measure('no hash', '/token', { client_id: 'native', grant_type: 'authorization_code', code: 'unknown' });
    }
    const medianOf = (what: string): number =>
      (timesMs.get(what) ?? []).toSorted((one, other) => one - other)[10] ?? Number.NaN;
    const usualMs = medianOf('a user who exists');
    expect(medianOf('no hash') / usualMs).toBeLessThan(0.25);
    const ratios = GUESSES.map(([what]) => [what, medianOf(what) / usualMs] as const);
    expect(ratios.filter(([, ratio]) => !(ratio > 0.5 && ratio < 2))).toEqual([]);
  });

  test('an unknown user waits in the same queue and costs a whole hash', async () => {
    const passwords = await createPasswords({ passwordConcurrency: 1, passwordQueueLimit: 0 });
    const hash = await passwords.hash(PASSWORD);
    const busy = passwords.verify(null, PASSWORD);
    await expect(passwords.verify(hash, PASSWORD)).rejects.toMatchObject({ code: 'overloaded' });
    expect(await busy).toBe(false);
    expect(await passwords.verify(hash, PASSWORD)).toBe(true);
  });

  test.each([
    ['a user who exists', 'watched'],
    ['a user who does not exist', 'watched by nobody'],
  ])('%s is delayed after the same number of failures', async (_what, username) => {
    if (username === 'watched') await server.holdfast.users.create({ username, password: PASSWORD, name: username });
    const { signIn } = await createWatchedSignIn();
    const { passwordAttemptsPerAccount } = resolvePolicy();
    const kinds = [];
    for (let count = 0; count <= passwordAttemptsPerAccount; count++) {
      const address = `198.51.100.${count}`;
      kinds.push((await signIn.authenticate(username, 'a wrong password', address)).kind);
    }
    expect(kinds).toEqual([...Array<string>(passwordAttemptsPerAccount).fill('refused'), 'delayed']);
  });
});

test('the options of a passkey sign-in are the same for every user and name no user and no credential', async () => {
  const { challenge } = newVerifier();
  const form = { client_id: 'native', code_challenge: challenge, code_challenge_method: 'S256' };
  const optionsFor = async (more: Readonly<Record<string, string>>): Promise<object> => {
    const { body } = await server.post('/authorize-challenge', { ...form, ...more });
    return { ...(body['passkey_options'] as object), challenge: '' };
  };
  expect(await optionsFor({ username: 'ada' })).toEqual(await optionsFor({ username: 'nobody' }));
  expect(await optionsFor({ username: 'passkeys' })).not.toHaveProperty('allowCredentials');
});
