// The demo's backend over HTTP, on a real database: what an application built on Holdfast looks like from outside.
import { createDemoApi, demoUser, type DemoApi } from '@holdfast/demo-api';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { refreshNative, signInNative, type NativeSession } from './native-session.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

const secret = 'a secret for tests that is long enough';
let database: TestDatabase;
let api: DemoApi;
let session: NativeSession;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await createDemoApi({ databaseUrl: database.databaseUrl, secret, demo: true });
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

beforeEach(async () => {
  session = await signInNative(api.url, demoUser);
});

/** Calls the API as the session's user. */
function call(endpoint: string, options: { body?: unknown; headers?: Record<string, string> } = {}): Promise<Response> {
  const [method = '', path = ''] = endpoint.split(' ');
  return fetch(`${api.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${session.accessToken}`,
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body === undefined
      ? {}
      : { body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body) }),
  });
}

describe('GET /me', () => {
  it('says who is signed in, and since when', async () => {
    const response = await call('GET /me');
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toMatchObject({
      username: demoUser.username,
      name: demoUser.name,
      sid: session.sid,
      authTime: expect.any(Number),
    });
  });

  it('answers 401 without a token, and does not call that an invalid token', async () => {
    const response = await fetch(`${api.url}/me`);
    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer(?!.*error=)/);
  });

  it('answers 401 invalid_token for a token that is none', async () => {
    const response = await fetch(`${api.url}/me`, { headers: { authorization: 'Bearer garbage' } });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"');
  });

  it('refuses other methods', async () => {
    const response = await call('DELETE /me');
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET');
  });
});

describe('the demo account', () => {
  it.each(['POST', 'DELETE'])(
    'keeps its password after %s /password: the printed one works for everybody',
    async (method) => {
      const response = await fetch(`${api.url}/password`, {
        method,
        headers: { authorization: `Bearer ${session.accessToken}` },
        ...(method === 'POST' ? { body: new URLSearchParams({ new_password: 'a wagon of quiet lanterns' }) } : {}),
      });
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ detail: expect.stringContaining('cannot be changed') });
      expect((await signInNative(api.url, demoUser)).sid).toMatch(/^[0-9a-f-]{36}$/u);
    },
  );
});

describe('notes', () => {
  it('are there after they were written, newest first', async () => {
    const first = await call('POST /notes', { body: { text: 'first' } });
    expect(first.status).toBe(201);
    const second = await call('POST /notes', { body: { text: 'second — ünï¢ode 🎉' } });
    const { notes } = (await (await call('GET /notes')).json()) as { notes: { id: string; text: string }[] };
    expect(notes.slice(0, 2)).toEqual([await second.json(), await first.json()]);
    expect(notes[0]?.text).toBe('second — ünï¢ode 🎉');
  });

  it('are not seen by another user', async () => {
    await call('POST /notes', { body: { text: 'mine alone' } });
    const other = { username: 'other@holdfast.example', password: 'another long password' };
    await api.holdfast.users.create({ ...other, name: 'Other' });
    session = await signInNative(api.url, other);
    expect(await (await call('GET /notes')).json()).toEqual({ notes: [] });
  });

  it('are written once, however often a request with one Idempotency-Key arrives', async () => {
    const headers = { 'idempotency-key': `"${crypto.randomUUID()}"` };
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => call('POST /notes', { body: { text: 'once' }, headers })),
    );
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(7);
    const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as { id: string }).id));
    expect(new Set(ids).size).toBe(1);
    expect((await call('POST /notes', { body: { text: 'another' }, headers })).status).toBe(422);
  });

  it.each([
    ['no text', {}, 400],
    ['an empty text', { text: '  ' }, 400],
    ['a text of another type', { text: 7 }, 400],
    ['a text that is too long', { text: 'a'.repeat(2_001) }, 400],
    ['a null character, which PostgreSQL does not store', { text: 'a\0b' }, 400],
    ['half a surrogate pair', { text: '\ud800' }, 400],
    ['a list', ['text'], 400],
    ['JSON that is none', '{"text":', 400],
    ['a body of a megabyte', { text: 'a'.repeat(1_000_000) }, 413],
  ])('are refused with %s', async (_case, body, status) => {
    const response = await call('POST /notes', { body });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ type: 'about:blank', status, title: expect.any(String) });
  });

  it('are refused in another content type', async () => {
    const response = await call('POST /notes', { body: 'text=a', headers: { 'content-type': 'text/plain' } });
    expect(response.status).toBe(415);
  });

  it('may be as long as they may be, whatever is in them', async () => {
    const response = await call('POST /notes', { body: { text: '\u2028'.repeat(1_999) + '"' } });
    expect(response.status).toBe(201);
  });
});

describe('the demo', () => {
  it('can make an access token expire: a genuine 401, and the next token works', async () => {
    expect((await call('POST /demo/expire-access-token')).status).toBe(204);
    const refused = await call('GET /me');
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain('error="invalid_token"');
    const refreshed = (await (await refreshNative(api.url, session.refreshToken)).json()) as { access_token: string };
    session = { ...session, accessToken: refreshed.access_token };
    expect((await call('GET /me')).status).toBe(200);
  });

  it('can let the session end soon: the next refresh says when, and one that extends it moves the end', async () => {
    expect((await call('POST /demo/end-soon', { body: { seconds: 90 } })).status).toBe(204);
    expect((await call('GET /me')).status).toBe(401);
    const refresh = async (form: Readonly<Record<string, string>>): Promise<number> => {
      const body = { grant_type: 'refresh_token', client_id: 'native', refresh_token: session.refreshToken, ...form };
      const response = await fetch(`${api.url}/token`, { method: 'POST', body: new URLSearchParams(body) });
      return ((await response.json()) as { readonly refresh_token_timeout: number }).refresh_token_timeout;
    };
    const secondsLeft = await refresh({ user_active: 'false' });
    expect(secondsLeft).toBeGreaterThan(80);
    expect(secondsLeft).toBeLessThanOrEqual(90);
    expect(await refresh({ extend: 'true' })).toBeGreaterThan(3_600);
  });

  it.each([[-1], [601], ['90'], [null]])('refuses to let the session end in %o seconds', async (seconds) => {
    expect((await call('POST /demo/end-soon', { body: { seconds } })).status).toBe(400);
  });

  it('can end the session at the server: its refresh token is refused for good', async () => {
    expect((await call('POST /demo/revoke-session')).status).toBe(204);
    const refused = await refreshNative(api.url, session.refreshToken);
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: 'invalid_grant', reason: 'revoked' });
  });

  it('shows what happened to the session', async () => {
    expect(await (await call('GET /demo/stats')).json()).toMatchObject({ tokenRequests: 1, rotations: 0 });
    const tokenRequests = api.requestCount('POST /token');
    await refreshNative(api.url, session.refreshToken);
    expect(api.requestCount('POST /token') - tokenRequests).toBe(1);
    expect(await (await call('GET /demo/stats')).json()).toMatchObject({
      tokenRequests: 2,
      lastEvent: { type: 'refresh.answered', atMs: expect.any(Number) },
    });
    expect(api.events.at(-1)).toMatchObject({ atMs: expect.any(Number) });
  });

  it('is not there unless it was asked for', async () => {
    const plain = await createDemoApi({ databaseUrl: database.databaseUrl, secret });
    try {
      const response = await fetch(`${plain.url}/demo/stats`, {
        headers: { authorization: `Bearer ${session.accessToken}` },
      });
      expect(response.headers.get('content-type')).not.toBe('application/json');
    } finally {
      await plain.close();
    }
  });
});

describe('every answer', () => {
  it('carries the security headers', async () => {
    for (const path of ['/me', '/.well-known/oauth-authorization-server', '/no/such/page']) {
      const { headers } = await fetch(`${api.url}${path}`);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
    }
  });

  it('takes a second start on the same database as it is', async () => {
    const again = await createDemoApi({ databaseUrl: database.databaseUrl, secret, demo: true });
    try {
      expect((await signInNative(again.url, demoUser)).sid).not.toBe(session.sid);
    } finally {
      await again.close();
    }
  });
});
