import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import type { Holdfast } from '../holdfast.ts';
import { startTestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { HoldfastServerError } from './errors.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let holdfast: Holdfast;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  ({ holdfast } = await startTestServer(database.databaseUrl));
});
afterAll(async () => {
  await holdfast.close();
  await database.drop();
});

/** Text that PostgreSQL refuses, and text that is no id. */
const TEXTS = ['\0', 'a\0b', '\ud800', 'not-a-uuid', '', "';--", 'x'.repeat(100_000)];
const NUMBERS = [-1, 0, 1.5, NaN, Infinity, 2 ** 53];
const SID = '00000000-0000-4000-8000-000000000000';

type Call = (value: never) => Promise<unknown>;
/** Every function of a running server that takes text or a number from its host. */
const OF_TEXT: Readonly<Record<string, (text: string) => Promise<unknown>>> = {
  'users.create, username': (text) =>
    holdfast.users.create({ username: text, password: 'correct horse battery', name: '' }),
  'users.create, name': (text) =>
    holdfast.users.create({ username: `named ${Math.random()}`, password: 'correct horse battery', name: text }),
  'users.create, password': (text) =>
    holdfast.users.create({ username: 'short', password: text.slice(0, 7), name: '' }),
  'users.findById': (text) => holdfast.users.findById(text),
  'users.findByUsername': (text) => holdfast.users.findByUsername(text),
  'users.list, after': (text) => holdfast.users.list({ after: text }),
  'users.setPassword': (text) => holdfast.users.setPassword(text, 'correct horse battery'),
  'users.disable': (text) => holdfast.users.disable(text),
  'users.enable': (text) => holdfast.users.enable(text),
  'users.delete': (text) => holdfast.users.delete(text),
  'sessions.revoke, sid': (text) => holdfast.sessions.revoke(text),
  'sessions.revoke, reason': (text) => holdfast.sessions.revoke(SID, text),
  'sessions.revokeAllOfUser, sub': (text) => holdfast.sessions.revokeAllOfUser(text),
  'sessions.revokeAllOfUser, reason': (text) => holdfast.sessions.revokeAllOfUser('nobody', text),
  'auditLog.list, sub': (text) => holdfast.auditLog.list({ sub: text }),
  'auditLog.list, sid': (text) => holdfast.auditLog.list({ sid: text }),
  'auditLog.list, type': (text) => holdfast.auditLog.list({ type: text as 'session.created' }),
  'auditLog.list, before': (text) => holdfast.auditLog.list({ before: { id: text, atMs: 0 } }),
  'webhooks.listAbandoned': (text) => holdfast.webhooks.listAbandoned(text),
  'webhooks.redeliver': (text) => holdfast.webhooks.redeliver(text),
  verifyAccessToken: (text) => holdfast.verifyAccessToken(text),
};
const OF_NUMBERS: Readonly<Record<string, (number: number) => Promise<unknown>>> = {
  'users.list, limit': (limit) => holdfast.users.list({ limit }),
  'auditLog.list, limit': (limit) => holdfast.auditLog.list({ limit }),
  'auditLog.list, before': (atMs) => holdfast.auditLog.list({ before: { id: SID, atMs } }),
  'webhooks.listAbandoned, limit': (limit) => holdfast.webhooks.listAbandoned('https://hooks.example', limit),
};

/**
 * The codes that a function rejects with; null for each accepted value. An error without a code is returned as it is.
 */
async function codesOf(call: Call, values: readonly unknown[]): Promise<readonly unknown[]> {
  return Promise.all(
    values.map((value) =>
      call(value as never).then(
        () => null,
        (error: unknown) => (error instanceof HoldfastServerError ? error.code : error),
      ),
    ),
  );
}

const CODES = [null, 'invalid-argument', 'invalid-username', 'invalid-password', 'username-taken'];

// The driver's own errors may quote the arguments, and a host cannot distinguish them from an outage.
describe('every argument of a host is accepted or refused with a code', () => {
  test.each(Object.entries(OF_TEXT))('%s', async (_name, call) => {
    for (const code of await codesOf(call, TEXTS)) expect(CODES).toContain(code);
  });
  test.each(Object.entries(OF_NUMBERS))('%s', async (_name, call) => {
    for (const code of await codesOf(call, NUMBERS)) expect(CODES).toContain(code);
  });
});

test('a query that can match nothing is refused, and the error names the argument', async () => {
  const { auditLog, webhooks, sessions, users } = holdfast;
  const refused = (message: RegExp) =>
    expect.objectContaining({ code: 'invalid-argument', message: expect.stringMatching(message) });
  await expect(auditLog.list({ sid: 'x' })).rejects.toEqual(refused(/^sid is a UUID/));
  await expect(auditLog.list({ sub: 'a b' })).rejects.toEqual(refused(/^sub is/));
  await expect(auditLog.list({ limit: 0 })).rejects.toEqual(refused(/^limit is/));
  await expect(webhooks.redeliver('\0')).rejects.toEqual(refused(/^endpoint is/));
  await expect(sessions.revoke(SID, 'a\0b')).rejects.toEqual(refused(/^reason is/));
  await expect(users.list({ after: '\0' })).rejects.toEqual(refused(/^after is/));
});
