import { describe, expect, it } from 'vitest';
import { defaultPolicy } from './core/policy.ts';
import type { HttpResponse } from './core/ports.ts';
import { ada, asBob, bob, MINUTE, outcome, refreshes, trouble } from './testing/trouble.ts';
import { createWorld, json, settle, type World } from './testing/world.ts';

// Sessions of one user and one store form a device chain, in which the server counts (docs/protocol.md, section 6).

const HOUR = 60 * MINUTE;

/** A token answer for one session of the chain. */
const inChain = (deviceSequence: number, members: Readonly<Record<string, unknown>> = {}): HttpResponse =>
  json(200, {
    access_token: `access-of-${deviceSequence}`,
    token_type: 'Bearer',
    expires_in: 900,
    refresh_token: `refresh-of-${deviceSequence}`,
    sid: `session-${deviceSequence}`,
    sub: 'user-1',
    device_id: 'device-1',
    device_sequence: deviceSequence,
    ...members,
  });

const exchanges = (world: World) =>
  world.server.requests.filter((form) => form.get('grant_type') === 'authorization_code');

/** The revocations that the server received: each with its refresh token or `sid`, and its extent. */
const ended = (world: World) =>
  world.server.requests
    .filter((form) => form.has('token') || (form.has('sid') && !form.has('grant_type')))
    .map((form) => [form.get('token') ?? form.get('sid'), form.get('discard') === 'true' ? 'discard' : 'sign-out']);

describe('the server can tell one device from another', () => {
  it('every tab, and every sign-in after a sign-out, sends the same device secret', async () => {
    const world = createWorld();
    let tokens = 0;
    const ports = { randomToken: () => `random-${(tokens += 1)}` };
    const [here, there] = [world.openTab({}, ports), world.openTab({}, ports)];
    await Promise.all([here.auth.ready(), there.auth.ready()]);
    await Promise.all([here.auth.signIn(ada), there.auth.signIn(ada)]);
    await here.auth.signOut();
    await here.auth.signIn(ada);
    const secrets = exchanges(world).map((form) => form.get('device_secret'));
    expect(secrets).toHaveLength(3);
    expect(new Set(secrets).size).toBe(1);
    expect(secrets[0]).toMatch(/^random-/u);
  });

  it('a sign-in works while the store does not answer', async () => {
    const world = createWorld();
    const { auth } = world.openTab({}, { deviceSecret: () => Promise.reject(new Error('locked')) });
    await auth.ready();
    await auth.signIn(ada);
    expect(auth.getSnapshot().status).toBe('active');
    expect(exchanges(world)[0]?.get('device_secret')).toBe('verifier');
  });

  it('a sign-in names the session that it replaces, with proof that it holds it', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    await auth.signIn(ada);
    const [first, second] = exchanges(world);
    expect([first?.get('replaces'), first?.get('replaces_token')]).toEqual([null, null]);
    expect([second?.get('replaces'), second?.get('replaces_token')]).toEqual(['session-1', 'refresh-1']);
  });

  it('a sign-in with a cookie names that session only', async () => {
    const world = createWorld('cookie');
    const { auth } = await world.openSignedInTab();
    await auth.signIn(ada);
    expect(exchanges(world)[1]?.get('replaces')).toBe('session-1');
    expect(exchanges(world)[1]?.has('replaces_token')).toBe(false);
  });
});

describe('a sign-out reaches the chain also after the session’s cookie is gone', () => {
  it('in a page that has not signed in itself, it sends the device secret in the same task', async () => {
    const world = createWorld('cookie');
    let tokens = 0;
    const ports = { randomToken: () => `random-${(tokens += 1)}` };
    const first = world.openTab({}, ports);
    await first.auth.ready();
    await first.auth.signIn(ada);
    const { auth } = world.openTab({}, ports);
    await auth.ready();
    await settle();
    void auth.signOut();
    await settle();
    const told = world.server.requests.find((form) => form.has('sid') && !form.has('grant_type'));
    expect(told?.get('device_secret')).toBe(exchanges(world)[0]?.get('device_secret'));
    expect(told?.get('device_secret')).toMatch(/^random-/u);
  });
});

describe('of two sign-ins on one device, the one that the server counted last stays', () => {
  it('a slow sign-in does not overwrite a later one of another tab, and only its own session ends', async () => {
    const world = createWorld();
    const [slow, quick] = [world.openTab(), world.openTab()];
    await Promise.all([slow.auth.ready(), quick.auth.ready()]);
    world.server.answers.push(inChain(1), inChain(2));
    world.server.delayMs = 2_000;
    const late = slow.auth.signIn(ada);
    await world.time.advance(3_000);
    world.server.delayMs = 100;
    await Promise.all([quick.auth.signIn(ada), late, world.time.advance(10_000)]);
    for (const { auth } of [slow, quick])
      expect(auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-1' } });
    expect((await world.vault.read())?.session?.sid).toBe('session-2');
    expect(ended(world)).toEqual([['refresh-of-1', 'discard']]);
  });

  it('clocks do not decide: the later sign-in stays also if the clock was set back in between', async () => {
    const world = createWorld();
    const [first, second] = [world.openTab(), world.openTab()];
    await Promise.all([first.auth.ready(), second.auth.ready()]);
    world.server.answers.push(inChain(1));
    await first.auth.signIn(ada);
    world.time.jumpWall(-HOUR);
    world.server.answers.push(inChain(2));
    await second.auth.signIn(ada);
    await world.time.advance(MINUTE);
    expect((await world.vault.read())?.session?.sid).toBe('session-2');
    expect(ended(world)).toEqual([]);
  });

  it('double submit: the session that the server counted first is discarded, also if its answer comes last', async () => {
    const world = createWorld();
    const slow = Object.assign(trouble(world), { mode: 'slow' as const });
    const { auth } = world.openTab({}, { vault: slow.vault });
    await auth.ready();
    world.server.answers.push(inChain(2), inChain(1));
    const both = Promise.all([auth.signIn(ada), auth.signIn(ada)]);
    await world.time.advance(MINUTE);
    await both;
    expect((await world.vault.read())?.session?.sid).toBe('session-2');
    expect(ended(world)).toEqual([['refresh-of-1', 'discard']]);
  });

  it('a sign-in that the user signed out of meanwhile is discarded, and a later one of another tab stays', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    world.server.answers.push(inChain(2));
    world.server.delayMs = 1_000;
    const late = outcome(auth.signIn(ada));
    await world.time.advance(500);
    const left = auth.signOut();
    await world.time.advance(MINUTE);
    await left;
    expect(await late).toMatchObject({ code: 'signed-out' });
    expect(ended(world)).toEqual([
      ['refresh-1', 'sign-out'],
      ['refresh-of-2', 'discard'],
    ]);
  });

  it('a sign-out is sent as one: the previous user’s session is signed out and not discarded', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    asBob(world);
    await auth.signIn(bob);
    await auth.signOut();
    await settle();
    expect(ended(world)).toEqual([
      ['refresh-1', 'sign-out'],
      ['refresh-2', 'sign-out'],
    ]);
  });
});

describe('a session that another one of this device has replaced', () => {
  const replacedBy = (successor: string): HttpResponse =>
    json(400, { error: 'invalid_grant', reason: 'replaced', successor });

  it('gives way to that session without a prompt, and parked requests are sent', async () => {
    const world = createWorld('cookie');
    const tab = await world.openSignedInTab();
    const { auth } = tab;
    world.server.answers.push(replacedBy('session-2'), inChain(2));
    await world.time.advance(15 * MINUTE);
    expect(await auth.getAccessToken()).toBe('access-of-2');
    expect(
      refreshes(world)
        .map((form) => form.get('sid'))
        .slice(-2),
    ).toEqual(['session-1', 'session-2']);
    expect(tab.seen('reauthentication.required')).toEqual([]);
    expect(tab.seen('signed-out')).toEqual([]);
    expect((await world.vault.read())?.session).toMatchObject({ sid: 'session-2', deviceSequence: 2 });
  });

  it('leads to a session that outlives a late tombstone for the replaced one, and obeys a later sign-out', async () => {
    const world = createWorld('cookie');
    const store = trouble(world);
    const tab = await world.openSignedInTab({}, { vault: store.vault });
    store.mode = 'locked';
    // The user signs out in another tab, which cannot write, and signs in again in a third tab.
    const signedOutAtMs = world.time.clock.now().wallMs + MINUTE;
    world.server.answers.push(replacedBy('session-2'), inChain(2, { refresh_token: undefined }));
    await world.time.advance(15 * MINUTE);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'active', sid: 'session-2' });
    const writeTombstone = async (endedAtMs: number): Promise<void> => {
      const version = (await world.vault.read())?.version ?? 0;
      await world.vault.compareAndSwap(version, { session: null, endedReason: 'user', endedAtMs });
      tab.signal('store-changed');
      await settle();
    };
    await writeTombstone(signedOutAtMs);
    expect(tab.seen('signed-out')).toEqual([]);
    await writeTombstone(world.time.clock.now().wallMs);
    expect(tab.auth.getSnapshot()).toMatchObject({ status: 'signed-out', reason: 'user' });
  });

  it('does not loop if the server names one successor after another, and signs no user out', async () => {
    const world = createWorld('cookie');
    const tab = await world.openSignedInTab();
    const { auth } = tab;
    for (let at = 2; at < 500; at++) world.server.answers.push(replacedBy(`session-${at}`));
    await world.time.advance(30 * MINUTE);
    const { refreshBurst, refreshRefillMs } = defaultPolicy;
    expect(refreshes(world).length).toBeLessThanOrEqual(refreshBurst + (30 * MINUTE) / refreshRefillMs);
    expect(auth.getSnapshot().status).toBe('active');
    expect(tab.seen('reauthentication.required')).toEqual([]);
  });
});
