import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { newSid } from '../kernel/ids.ts';
import { openBrowser } from '../testing/browser.ts';
import { CREDENTIALS, newVerifier, startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { newNonce } from '../tokens/refresh-token.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let server: TestServer;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});

/** Files that may use a predictable source: they only add jitter to pauses. */
const PREDICTABLE_BY_INTENT = [
  'audit/webhook-delivery.ts',
  'operations/maintenance.ts',
  'resource/revocation-follower.ts',
];

// ASVS 5.0 7.2.3
describe('ids and secrets of sessions cannot be guessed', () => {
  // A million session ids take ten seconds. With a broken source far fewer would have a duplicate among 120 bits.
  test.each([
    ['session ids', () => newSid().replaceAll('-', ''), 32, 200_000],
    ['session ids of one user', () => newSid(7).slice(2).replaceAll('-', ''), 30, 200_000],
    ['nonces of refresh tokens', () => newNonce().toString('hex'), 16, 1_000_000],
  ])('%s, hundreds of thousands of them, are all different, and vary in every digit', (_, make, digits, total) => {
    const seen = new Set<string>();
    const values = Array.from({ length: digits }, () => new Set<string>());
    for (let count = 0; count < total; count++) {
      const id = make();
      seen.add(id);
      if (count < 10_000) for (let at = 0; at < digits; at++) values[at]?.add(id[at] ?? '');
    }
    expect(seen.size).toBe(total);
    expect(values.map((digit) => digit.size)).toEqual(values.map(() => 16));
  });

  test('neither ids nor nonces, codes or keys come from a predictable source', () => {
    const folder = path.dirname(import.meta.dirname);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !/\.test\.ts$|^testing/.test(file))
      .map((file) => [file, readFileSync(path.join(folder, file), 'utf8')] as const);
    expect(files.length).toBeGreaterThan(50);
    const predictable = files.filter(([, text]) => /Math\.random|pseudoRandomBytes/.test(text)).map(([file]) => file);
    expect(predictable.toSorted()).toEqual(PREDICTABLE_BY_INTENT);
    for (const source of ['kernel/ids.ts', 'tokens/refresh-token.ts']) {
      const text = files.find(([file]) => file === source)?.[1] ?? '';
      expect(text).toMatch(/import \{[^}]*\brandomBytes\b[^}]*\} from 'node:crypto'/);
    }
  });
});

// OWASP Session Management: accept no id from a client, and make a new one at every authentication.
describe('an id that an attacker chose', () => {
  const CHOSEN = '11111111-1111-4111-8111-111111111111';

  test('never becomes a session id, in any parameter of a sign-in', async () => {
    const { verifier, challenge } = newVerifier();
    const chosen = { sid: CHOSEN, session_id: CHOSEN, device_id: CHOSEN, device_sequence: '1', sub: CHOSEN };
    const { body } = await server.post('/authorize-challenge', {
      client_id: 'native',
      ...CREDENTIALS,
      code_challenge: challenge,
      code_challenge_method: 'S256',
      ...chosen,
    });
    const answer = await server.post('/token', {
      client_id: 'native',
      grant_type: 'authorization_code',
      code: String(body['authorization_code']),
      code_verifier: verifier,
      replaces: CHOSEN,
      ...chosen,
    });
    expect(answer.status).toBe(200);
    for (const name of ['sid', 'device_id', 'sub']) expect(answer.body[name]).not.toBe(CHOSEN);
    const { rows } = await server.holdfast.database.query('SELECT id FROM holdfast.sessions WHERE id = $1', [CHOSEN]);
    expect(rows).toEqual([]);
  });

  test('joins no chain and ends no session of another device', async () => {
    const victim = await server.signIn('web');
    const stranger = openBrowser(server);
    const joined = await stranger.signIn({ replaces: victim.sid });
    expect(joined.deviceId).not.toBe(victim.deviceId);
    expect(await stranger.refresh({ sid: joined.sid })).toMatchObject({ status: 200 });
    const mine = { client_id: 'web', grant_type: 'refresh_token', sid: victim.sid };
    expect(await server.post('/token', mine, { cookie: victim.cookie })).toMatchObject({ status: 200 });
  });
});

test('every authentication makes a new session, and the old one lives until the new one is used', async () => {
  const browser = openBrowser(server);
  const first = await browser.signIn();
  const second = await browser.signIn({ replaces: first.sid });
  expect(second.sid).not.toBe(first.sid);
  expect(second.refreshToken).toBe('undefined');
  expect(await server.ask('GET', '/sessions', first.accessToken)).toMatchObject({ status: 200 });
  expect(await browser.refresh({ sid: second.sid })).toMatchObject({ status: 200 });
  expect(await server.ask('GET', '/sessions', first.accessToken)).toMatchObject({ status: 401 });
});
