import { describe, expect, it } from 'vitest';
import type { AuthServiceOptions } from './auth-service.ts';
import type { HttpResponse, Platform } from './core/ports.ts';
import { foreignTokenResponses } from './optional/foreign-token-responses.ts';
import { ada, DUE, MINUTE, outcome, used, watch } from './testing/trouble.ts';
import { createWorld, json, settle, type Tab, type World } from './testing/world.ts';

// A server that refuses every refresh in words that do not end a session. The user must learn of it and keep the
// session.

const SECOND = 1_000;
const NO_DOUBT = { isDoubtful: false, refusal: null };
const EXPIRY = 15 * MINUTE;
const refused = json(400, { error: 'invalid_request', error_description: 'Unknown token' });

type Refusal = { answer: HttpResponse | null };

/** A signed-in tab. Its server gives this answer to refreshes while it is not `null`. */
async function signIn(
  answer: HttpResponse | null,
  options: Partial<AuthServiceOptions> = {},
): Promise<{ world: World; tab: Tab; refusal: Refusal; transport: Platform['transport'] }> {
  const world = createWorld();
  const refusal: Refusal = { answer };
  const transport: Platform['transport'] = (request, signal) => {
    const isRefresh = request.body?.includes('grant_type=refresh_token');
    if (!isRefresh || !refusal.answer) return world.transport(request, signal);
    world.server.requests.push(new URLSearchParams(request.body));
    return Promise.resolve(refusal.answer);
  };
  return { world, tab: await world.openSignedInTab(options, { transport }), refusal, transport };
}

/** The doubt and the server's words in the tab's snapshot. */
function shownBy({ auth }: Tab): { isDoubtful: boolean; refusal: string | null } {
  const snapshot = auth.getSnapshot();
  if (snapshot.status !== 'active') throw new Error(`the session is ${snapshot.status}`);
  return { isDoubtful: snapshot.isDoubtful, refusal: snapshot.refusal };
}

describe('a dead refresh token in other words than invalid_grant', () => {
  const answers: readonly (readonly [words: string, answer: HttpResponse])[] = [
    ...[
      'invalid_request',
      'invalid_client',
      'unauthorized_client',
      'invalid_token',
      'access_denied',
      'interaction_required',
      'login_required',
      'consent_required',
      'unsupported_grant_type',
      'invalid_scope',
      'invalid_dpop_proof',
      'unmet_authentication_requirements',
      'token_expired',
    ].map((error): [string, HttpResponse] => [error, json(400, { error })]),
    [
      'invalid_client: Client is disabled',
      json(401, { error: 'invalid_client', error_description: 'Client is disabled' }),
    ],
    ['token_expired', json(200, { ok: false, error: 'token_expired' })],
    ['status 401', json(401, { code: 'SESSION_GONE' })],
    ['status 403', json(403, { error: { code: 40 } })],
  ];

  it.each(answers)(
    '%s: the state shows it, the user stays signed in, and a sign-in cures it',
    async (words, answer) => {
      const { world, tab, refusal } = await signIn(answer);
      await world.time.advance(EXPIRY);
      const parked = tab.auth.getAccessToken();
      await world.time.advance(MINUTE);
      expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', isDoubtful: true, refusal: words });
      await tab.auth.signIn(ada);
      expect(shownBy(tab)).toEqual(NO_DOUBT);
      expect(await parked).toBe('access-2');
      refusal.answer = null;
      await world.time.advance(DUE);
      expect(shownBy(tab)).toEqual(NO_DOUBT);
      expect(await tab.auth.getAccessToken()).toBe('access-3');
    },
  );
});

describe('the doubt', () => {
  it('comes a minute after the first refusal while the token lives, and no request fails meanwhile', async () => {
    const { world, tab } = await signIn(refused);
    await world.time.advance(DUE);
    expect(shownBy(tab)).toEqual({ isDoubtful: false, refusal: 'invalid_request: Unknown token' });
    await world.time.advance(50 * SECOND);
    expect(shownBy(tab).isDoubtful).toBe(false);
    await world.time.advance(70 * SECOND);
    expect(shownBy(tab).isDoubtful).toBe(true);
    expect(await tab.auth.getAccessToken()).toBe('access-1');
  });

  it('comes within 16 s if no token is left, also after a relaunch, but not after a single refusal', async () => {
    const { world, tab, transport } = await signIn(refused);
    tab.auth.dispose();
    await world.time.advance(EXPIRY + MINUTE);
    const relaunched = world.openTab({}, { transport });
    await relaunched.auth.ready();
    await world.time.advance(SECOND);
    expect(shownBy(relaunched)).toEqual({ isDoubtful: false, refusal: 'invalid_request: Unknown token' });
    await world.time.advance(15 * SECOND);
    expect(shownBy(relaunched).isDoubtful).toBe(true);
  });

  it('ends when the server renews the session after all', async () => {
    const { world, tab, refusal } = await signIn(refused);
    await world.time.advance(EXPIRY + 2 * MINUTE);
    expect(shownBy(tab).isDoubtful).toBe(true);
    refusal.answer = null;
    tab.auth.extend();
    await settle();
    expect(shownBy(tab)).toEqual(NO_DOUBT);
  });

  it('stays while the server cannot be reached', async () => {
    const { world, tab, refusal } = await signIn(refused);
    await world.time.advance(EXPIRY + 2 * MINUTE);
    refusal.answer = json(503, { error: 'temporarily_unavailable' });
    await world.time.advance(10 * MINUTE);
    expect(shownBy(tab)).toEqual({ isDoubtful: true, refusal: 'invalid_request: Unknown token' });
  });

  it('ends in every tab when the user signs in in one of them', async () => {
    const { world, tab, transport } = await signIn(refused);
    const other = world.openTab({}, { transport });
    await world.time.advance(EXPIRY + 2 * MINUTE);
    expect([shownBy(tab).isDoubtful, shownBy(other).isDoubtful]).toEqual([true, true]);
    await other.auth.signIn(ada);
    await settle();
    expect([shownBy(tab), shownBy(other)]).toEqual([NO_DOUBT, NO_DOUBT]);
    expect(await tab.auth.getAccessToken()).toBe('access-2');
  });

  it('ends with the session: the user can sign out, and the next session has none', async () => {
    const { world, tab } = await signIn(refused);
    await world.time.advance(EXPIRY + 2 * MINUTE);
    await tab.auth.signOut();
    expect(tab.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
    await tab.auth.signIn(ada);
    expect(shownBy(tab)).toEqual(NO_DOUBT);
  });

  it('comes of answers for another session as well, because no retry cures them', async () => {
    const { world, tab } = await signIn(null);
    world.server.extra = { ...world.server.extra, sid: 'another' };
    await world.time.advance(EXPIRY + MINUTE);
    expect(shownBy(tab)).toEqual({ isDoubtful: true, refusal: 'answer-mismatch' });
  });

  it.each([
    ['503', json(503, { error: 'server_error' })],
    ['429', json(429, { error: 'slow_down' })],
    ['a page', { status: 403, headers: {}, body: '<html>' }],
  ])('does not come of an answer that says nothing of the session: %s', async (_name, answer) => {
    const { world, tab } = await signIn(answer);
    await world.time.advance(60 * MINUTE);
    expect(shownBy(tab)).toEqual(NO_DOUBT);
  });

  it('does not come of an answer that the app reads as no refusal, and shows the app’s own words', async () => {
    let words: string | null = null;
    const readTokenResponse = foreignTokenResponses(({ status }) =>
      status === 400 ? { kind: 'transient', cause: 'server-error', retryAfterMs: null, words } : null,
    );
    const { world, tab } = await signIn(refused, { readTokenResponse });
    await world.time.advance(EXPIRY + MINUTE);
    expect(shownBy(tab)).toEqual(NO_DOUBT);
    words = 'the account is suspended';
    await world.time.advance(3 * MINUTE);
    expect(shownBy(tab)).toEqual({ isDoubtful: true, refusal: 'the account is suspended' });
  });
});

describe('while the server refuses', () => {
  it('a request that gives up gives the reason, without a token', async () => {
    const { world, tab } = await signIn(
      json(400, { error: 'invalid_request', error_description: 'token eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl is dead' }),
    );
    await world.time.advance(EXPIRY);
    const failed = outcome(tab.auth.getAccessToken({ deadlineMs: MINUTE }));
    await world.time.advance(MINUTE);
    expect(await failed).toMatchObject({
      code: 'deadline-exceeded',
      message: 'invalid_request: token ? is dead',
    });
  });

  it('parked requests do not cause a refresh every few seconds, because no retry cures it', async () => {
    const { world, tab } = await signIn(refused);
    await world.time.advance(EXPIRY);
    const before = used(world).length;
    const parked = watch(tab.auth.getAccessToken({ deadlineMs: 30 * MINUTE }));
    await world.time.advance(20 * MINUTE);
    expect(parked.is).toBe('pending');
    expect(used(world).length - before).toBeLessThan(32);
  });
});

describe('the server’s words', () => {
  const wordsFor = async (body: Readonly<Record<string, unknown>>): Promise<string | null> => {
    const { world, tab } = await signIn(json(400, body));
    await world.time.advance(DUE);
    return shownBy(tab).refusal;
  };

  it('contain no run of characters that may be a token, wherever it stands', async () => {
    const secret = `hfrt_${'aB3-_'.repeat(17)}`;
    for (const token of [secret, secret.toLowerCase(), 'a'.repeat(26), `${'x'.repeat(19)}.${'y'.repeat(19)}`]) {
      expect(await wordsFor({ error: token, error_description: token })).not.toContain(token.slice(0, 12));
      const said = await wordsFor({
        error: 'invalid_request',
        error_description: `of ${token}, "${token}" (${token})`,
      });
      expect(said).toMatch(/^invalid_request: of/u);
      expect(said).not.toContain(token.slice(0, 12));
    }
  });

  it('keep codes and prose', async () => {
    expect(
      await wordsFor({
        error: 'interaction_required',
        error_description: 'AADSTS50076: refresh_token_was_revoked (x)',
      }),
    ).toBe('interaction_required: AADSTS50076: refresh_token_was_revoked (x)');
  });

  it('are printable ASCII without quotes, 200 characters at most', async () => {
    const said = await wordsFor({
      error: 'invalid_request',
      error_description: `"\\\r\n\u0000\u202E${'é word '.repeat(9_999)}`,
    });
    expect(said).toMatch(/^[ !#-[\]-~]{200}$/u);
  });
});
