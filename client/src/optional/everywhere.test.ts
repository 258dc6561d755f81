import { describe, expect, it } from 'vitest';
import type { AuthService } from '../auth-service.ts';
import type { HttpResponse, Platform, PendingRevocation } from '../core/ports.ts';
import { memoryOutbox } from '../platform/memory-vault.ts';
import { ada, asBob, bob, DUE, MINUTE, never, outcome, pass, revoked, watch } from '../testing/trouble.ts';
import { createWorld, json, settle, type World } from '../testing/world.ts';
import { signOutEverywhere } from './everywhere.ts';

// A user who signs out everywhere is signed out here at once, and everywhere else as soon as the server can be reached.

const offline = (): Promise<never> => Promise.reject(new TypeError('Failed to fetch'));
const page = (status: number): Response => new Response('\n<!doctype html><title>Portal</title>', { status });
const gone = { status: 'signed-out', reason: 'user' };

/** The revocations that the server received. */
const told = (world: World): unknown[] =>
  world.server.requests
    .filter((form) => form.has('token') || [...form.keys()].join().startsWith('client_id,sid'))
    .map((form) => ({ token: form.get('token') ?? form.get('sid'), everywhere: form.get('everywhere') }));
const EVERYWHERE = [{ token: 'refresh-1', everywhere: 'true' }];

/** An authorization server out of reach while `isAway`. */
function reachable(world: World) {
  const control = { isAway: false, answer: null as HttpResponse | null };
  const transport: Platform['transport'] = (request, signal) => {
    if (!control.isAway) return world.transport(request, signal);
    return control.answer ? Promise.resolve(control.answer) : offline();
  };
  return Object.assign(control, { transport });
}

const isSignedIn = (auth: AuthService): boolean => auth.getSnapshot().status === 'active';

describe('signing out everywhere when the server', () => {
  it('can be reached ends the other sessions, then this one', async () => {
    const world = createWorld();
    const asked: string[] = [];
    const fetch: typeof globalThis.fetch = (input, init) => {
      asked.push(`${init?.method} ${input as string} ${new Headers(init?.headers).get('authorization')}`);
      return Promise.resolve(Response.json({ ended: 2 }));
    };
    const { auth } = await world.openSignedInTab({ fetch });
    await signOutEverywhere(auth);
    await settle();
    expect(auth.getSnapshot()).toEqual(gone);
    expect(asked).toEqual(['DELETE https://api.example.com/sessions Bearer access-1']);
    expect(told(world)).toEqual([{ token: 'refresh-1', everywhere: null }]);
  });

  it.each([
    [400, { error: 'invalid_request' }],
    [403, { error: 'access_denied' }],
    [404, { message: 'There is nothing at this path' }],
    [405, null],
  ])('refuses with %d keeps the session, and the app can read the response', async (status, body) => {
    const world = createWorld();
    const fetch = () => Promise.resolve(new Response(body && JSON.stringify(body), { status }));
    const { auth } = await world.openSignedInTab({ fetch });
    const error = await outcome(signOutEverywhere(auth));
    expect(error).toMatchObject({ code: 'http-status', response: { status } });
    expect(await (error as { response: Response }).response.text()).toBe(body === null ? '' : JSON.stringify(body));
    await world.time.advance(10 * MINUTE);
    expect([isSignedIn(auth), told(world), await auth.platform.outbox.list()]).toEqual([true, [], []]);
  });

  it('requires a step-up that the user declines keeps the session, however long the prompt was open', async () => {
    const world = createWorld();
    const stale = { 'www-authenticate': 'Bearer error="insufficient_user_authentication", max_age="300"' };
    const fetch = () => Promise.resolve(new Response('{}', { status: 401, headers: stale }));
    const network = reachable(world);
    const { auth } = await world.openSignedInTab({ fetch }, { transport: network.transport });
    const left = outcome(signOutEverywhere(auth));
    await settle();
    expect(auth.getSnapshot()).toMatchObject({ stepUp: { maxAgeSeconds: 300 } });
    // The network fails and the access token expires while the prompt is open.
    network.isAway = true;
    await world.time.advance(30 * MINUTE);
    expect(isSignedIn(auth)).toBe(true);
    auth.declineReauthentication();
    expect(await left).toMatchObject({ code: 'http-status', response: { status: 401 } });
    expect([isSignedIn(auth), told(world)]).toEqual([true, []]);
  });
});

describe('signing out everywhere without a usable answer signs out here at once and queues the rest', () => {
  it.each<[string, () => Promise<Response>]>([
    ['there is no network', offline],
    ['the server answers 500', () => Promise.resolve(Response.json({ error: 'server_error' }, { status: 500 }))],
    ['the server answers 503', () => Promise.resolve(Response.json({}, { status: 503 }))],
    ['the server answers 429', () => Promise.resolve(Response.json({}, { status: 429 }))],
    ['a captive portal answers with a page', () => Promise.resolve(page(200))],
    ['a proxy answers 403', () => Promise.resolve(page(403))],
    ['a proxy answers 404', () => Promise.resolve(page(404))],
  ])('because %s', async (_case, fetch) => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab({ fetch });
    await signOutEverywhere(auth);
    expect(auth.getSnapshot()).toEqual(gone);
    expect((await world.vault.read())?.session).toBeNull();
    await settle();
    expect(told(world)).toEqual(EVERYWHERE);
  });

  it('because there is no answer', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab({ fetch: never });
    const left = watch(signOutEverywhere(auth));
    await world.time.advance(MINUTE);
    expect([left.is, auth.getSnapshot()]).toEqual(['resolved', gone]);
    expect(told(world)).toEqual(EVERYWHERE);
  });

  it('after the access token has expired, without waiting for a refresh that fails', async () => {
    const world = createWorld();
    const network = reachable(world);
    const { auth } = await world.openSignedInTab({ fetch: offline }, { transport: network.transport });
    network.isAway = true;
    await world.time.advance(20 * MINUTE);
    await signOutEverywhere(auth);
    expect(auth.getSnapshot()).toEqual(gone);
  });

  it('during the first refresh after a launch', async () => {
    const world = createWorld();
    const network = reachable(world);
    const first = await world.openSignedInTab({}, { transport: network.transport });
    first.auth.dispose();
    world.time.jumpWall(20 * MINUTE);
    network.isAway = true;
    const { auth } = world.openTab({ fetch: offline }, { transport: network.transport });
    const left = watch(signOutEverywhere(auth));
    await world.time.advance(20_000);
    expect([left.is, auth.getSnapshot()]).toEqual(['resolved', gone]);
    network.isAway = false;
    await world.time.advance(10 * MINUTE);
    expect(told(world)).toEqual(EVERYWHERE);
  });

  it('with the refresh token in a cookie, naming the session by its `sid`', async () => {
    const world = createWorld('cookie');
    const { auth } = await world.openSignedInTab({ fetch: offline });
    await signOutEverywhere(auth);
    await settle();
    expect(told(world)).toEqual([{ token: 'session-1', everywhere: 'true' }]);
  });
});

describe('a queued sign-out everywhere', () => {
  it('is delivered once when the network is back, also after a relaunch', async () => {
    const world = createWorld();
    const network = reachable(world);
    const { auth } = await world.openSignedInTab({ fetch: offline }, { transport: network.transport });
    network.isAway = true;
    await signOutEverywhere(auth);
    await settle();
    auth.dispose();
    const relaunched = world.openTab({}, { transport: network.transport });
    expect(await relaunched.auth.ready()).toEqual(gone);
    expect(told(world)).toEqual([]);
    network.isAway = false;
    relaunched.signal('online');
    await world.time.advance(10 * MINUTE);
    expect(told(world)).toEqual(EVERYWHERE);
    expect(await relaunched.auth.platform.outbox.list()).toEqual([]);
  });

  it('stays queued after a captive portal answered it', async () => {
    const world = createWorld();
    const network = reachable(world);
    const { auth } = await world.openSignedInTab({ fetch: offline }, { transport: network.transport });
    Object.assign(network, { isAway: true, answer: { status: 200, headers: {}, body: '<html>' } });
    await signOutEverywhere(auth);
    await settle();
    network.isAway = false;
    await world.time.advance(10 * MINUTE);
    expect(told(world)).toEqual(EVERYWHERE);
  });

  it.each([
    ['minutes later', 20 * MINUTE],
    ['at once, while storage is still busy', 0],
  ])('is delivered before the next sign-in (%s), so that it does not end the new session', async (_case, laterMs) => {
    const world = createWorld();
    const network = reachable(world);
    const { transport } = network;
    const kept = memoryOutbox();
    const outbox = { ...kept, add: (each: PendingRevocation) => pass(world, 1_000).then(() => kept.add(each)) };
    const { auth } = await world.openSignedInTab({ fetch: offline }, { transport, outbox });
    network.isAway = true;
    await signOutEverywhere(auth);
    await world.time.advance(laterMs);
    network.isAway = false;
    world.server.requests.length = 0;
    await auth.signIn(ada);
    expect(world.server.requests.map((form) => form.get('token') ?? form.get('username') ?? form.get('code'))).toEqual([
      'refresh-1',
      'ada',
      'code',
    ]);
    await world.time.advance(10 * MINUTE);
    expect(isSignedIn(auth)).toBe(true);
    expect(await outbox.list()).toEqual([]);
  });
});

describe('signing out everywhere rejects', () => {
  it('if another user has signed in meanwhile, who stays signed in', async () => {
    const world = createWorld();
    let fail = (_error: Error): void => {};
    const fetch = () => new Promise<Response>((_resolve, reject) => (fail = reject));
    const { auth } = await world.openSignedInTab({ fetch });
    const left = outcome(signOutEverywhere(auth));
    await settle();
    asBob(world);
    await auth.signIn(bob);
    fail(new TypeError('Failed to fetch'));
    expect(await left).toMatchObject({ code: 'user-changed', isRetryable: false });
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
  });

  it('without a session', async () => {
    const world = createWorld();
    const { auth } = world.openTab({ fetch: offline });
    expect(await outcome(signOutEverywhere(auth))).toMatchObject({ code: 'signed-out' });
  });

  it('after the server has ended this session, until the user signs in again', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab({ fetch: offline });
    world.server.answers.push(json(400, { error: 'invalid_grant', reason: 'expired' }));
    await world.time.advance(DUE);
    expect(auth.getSnapshot().status).toBe('reauthentication-required');
    expect(await outcome(signOutEverywhere(auth))).toMatchObject({ code: 'signed-out', isRetryable: false });
    expect(revoked(world)).toEqual([]);
    // It works again after a sign-in.
    expect(auth.getSnapshot().status).toBe('reauthentication-required');
    await auth.signIn(ada);
    await signOutEverywhere(auth);
    expect(auth.getSnapshot()).toEqual(gone);
  });

  it('after `dispose`', async () => {
    const { auth } = await createWorld().openSignedInTab({ fetch: offline });
    auth.dispose();
    expect(await outcome(signOutEverywhere(auth))).toMatchObject({ code: 'disposed' });
  });
});
