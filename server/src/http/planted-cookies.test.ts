import { createHash } from 'node:crypto';
import { array, assert, asyncProperty, constantFrom, nat, record } from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { ISSUER, startTestServer, type Answer, type TestServer, type Tokens } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

// A sibling domain, or an attacker on the path of a plain http request to one, can plant cookies. The prefix `__Host-`
// protects a name only if browser and server read the same name.

let database: TestDatabase;
let server: TestServer;
let victim: Tokens;
let attacker: Tokens;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
  victim = await server.signIn('web');
  attacker = await server.signIn('web');
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});

const refresh = (cookie: string, form: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  server.post('/token', { client_id: 'web', grant_type: 'refresh_token', ...form }, { cookie });
const nameOf = (cookie: string): string => cookie.split('=')[0] ?? '';
const valueOf = (cookie: string): string => cookie.slice(cookie.indexOf('=') + 1);

/** Characters that a program may treat as white space, except SP and HTAB. */
const SPACES = ['\u00a0', '\u0085', '\u000b', '\u000c', '\u1680', '\u2003', '\u2028', '\u3000', '\ufeff'];

describe('a name that resembles ours', () => {
  test.each(SPACES.map((space) => [`U+${space.charCodeAt(0).toString(16).padStart(4, '0')}`, space]))(
    'with %s before or after it does not sign the user in as the attacker',
    async (_, space) => {
      for (const planted of [
        `${space}${attacker.cookie}`,
        `${nameOf(attacker.cookie)}${space}=${valueOf(attacker.cookie)}`,
      ]) {
        expect(await refresh(planted)).toMatchObject({ status: 400, body: { reason: 'unknown' }, cookies: [] });
        expect(await refresh(planted, { sid: attacker.sid })).toMatchObject({
          status: 400,
          body: { reason: 'unknown' },
        });
        // The browser still has only the victim's session.
        expect(await refresh(`${planted}; ${victim.cookie}`)).toMatchObject({ status: 200, body: { sid: victim.sid } });
      }
    },
  );

  test.each([
    ['in other letters', (cookie: string) => cookie.replace('__Host-', '__HOST-')],
    ['of another issuer', (cookie: string) => cookie.replace(/-[0-9a-f]{8}-/, '-00000000-')],
    ['without an issuer', (cookie: string) => cookie.replace(/-[0-9a-f]{8}-/, '-')],
    ['that goes on', (cookie: string) => cookie.replace('=', 'a=')],
    ['of another session', (cookie: string) => `${nameOf(victim.cookie)}=${valueOf(cookie)}`],
  ])('a name %s is ignored', async (_, disguise) => {
    const planted = disguise(attacker.cookie);
    expect(await refresh(planted)).toMatchObject({ status: 400, body: { reason: 'unknown' }, cookies: [] });
  });

  test('SP and HTAB around names and values are ignored', async () => {
    expect(await refresh(`a=b;\t ${nameOf(victim.cookie)} =\t${valueOf(victim.cookie)} ; c`)).toMatchObject({
      status: 200,
      body: { sid: victim.sid },
    });
  });
});

test("garbage under a session's cookie name, before or after its cookie, neither signs out nor clears it", async () => {
  const other = `${nameOf(victim.cookie)}=${valueOf(attacker.cookie)}`;
  for (const garbage of [`${nameOf(victim.cookie)}=garbage`, `${victim.cookie.slice(0, -4)}AAAA`, other]) {
    for (const jar of [`${garbage}; ${victim.cookie}`, `${victim.cookie}; ${garbage}`]) {
      expect(await refresh(jar, { sid: victim.sid })).toMatchObject({
        status: 200,
        body: { sid: victim.sid },
        cookies: [],
      });
      expect(await refresh(jar)).toMatchObject({ status: 200, body: { sid: victim.sid }, cookies: [] });
    }
    expect(await refresh(garbage, { sid: victim.sid })).toMatchObject({
      status: 400,
      body: { reason: 'unknown' },
      cookies: [],
    });
  }
});

test('a sign-out ends the session of the genuine cookie, whatever was planted beside it', async () => {
  const { cookie, sid } = await server.signIn('web');
  const jar = `${nameOf(cookie)}=garbage; ${cookie}`;
  expect(await server.post('/revoke', { client_id: 'web', sid }, { cookie: jar })).toMatchObject({ status: 200 });
  expect(await refresh(cookie, { sid })).toMatchObject({ status: 400, body: { reason: 'revoked' } });
});

test('two issuers on one host have separate cookies', () => {
  const digits = createHash('sha256').update(ISSUER).digest('hex').slice(0, 8);
  expect(nameOf(victim.cookie)).toBe(`__Host-holdfast-${digits}-${victim.sid.replaceAll('-', '').slice(0, 12)}`);
});

/** Cuts and inserts at random places. */
const damage = array(
  record({
    at: nat(200),
    cut: nat(4),
    insert: constantFrom(
      '',
      ';',
      '=',
      ' ',
      '\t',
      '\u00a0',
      '"',
      ',',
      '\r\n',
      '\0',
      'A',
      '__Host-',
      '%3D',
      '\ud800',
      'a=b; ',
    ),
  }),
  { minLength: 1, maxLength: 4 },
);

const damaged = (
  cookie: string,
  edits: readonly { readonly at: number; readonly cut: number; readonly insert: string }[],
): string => edits.reduce((text, { at, cut, insert }) => text.slice(0, at) + insert + text.slice(at + cut), cookie);

test('a damaged cookie yields no token, causes no failure and is never echoed', async () => {
  await assert(
    asyncProperty(damage, async (edits) => {
      const cookie = damaged(attacker.cookie, edits);
      // White space around name and value does not count (RFC 6265 §5.2).
      const isWhole = cookie
        .split(';')
        .some((pair) => pair.replace(/^[ \t]+|[ \t]*(=)[ \t]*|[ \t]+$/g, '$1') === attacker.cookie);
      const answer = await refresh(cookie);
      expect(answer.status).toBe(isWhole ? 200 : 400);
      expect(Object.values(answer.headers).flat().join('\n')).not.toMatch(/[\r\0\u00a0]|hfrt_[^;]{0,87}(?:;|$)/);
      // The owner's own request still works.
      const both = await refresh(`${cookie}; ${victim.cookie}`, { sid: victim.sid });
      expect(both).toMatchObject({ status: 200, body: { sid: victim.sid }, cookies: [] });
    }),
    { numRuns: 500 },
  );
});
