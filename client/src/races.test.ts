import { describe, expect, it } from 'vitest';
import type { Vault } from './core/ports.ts';
import { adopt } from './optional/adopt.ts';
import { automaticStage } from './optional/automatic-stage.ts';
import { signOutEverywhere } from './optional/everywhere.ts';
import type { SignInMethod } from './runtime/sign-in.ts';
import {
  ada,
  asBob,
  bob,
  DUE,
  MINUTE,
  outcome,
  pass,
  refreshElsewhere,
  revoked,
  trouble,
  used,
} from './testing/trouble.ts';
import { createWorld, json, settle } from './testing/world.ts';

// A sign-in, a sign-out, a prompt or a refresh while another one is under way. Each case was seen to fail.

describe('a sign-in that is being stored stays', () => {
  it('if a session is adopted before the first read, and nothing is stored', async () => {
    const { auth } = createWorld().openTab();
    await adopt(auth, { access_token: 'a', refresh_token: 'r', token_type: 'Bearer', sid: 's', sub: 'u' });
    expect(auth.getSnapshot().status).toBe('active');
  });

  it('if the first read is slow and finds the tombstone of the last sign-out', async () => {
    const world = createWorld('cookie');
    const first = await world.openSignedInTab();
    await first.auth.signOut();
    const read: Vault['read'] = () => pass(world, 2_000).then(() => world.vault.read());
    const { auth } = world.openTab({}, { vault: { ...world.vault, read } });
    const signedIn = auth.signIn(ada);
    await world.time.advance(10_000);
    await signedIn;
    expect(auth.getSnapshot().status).toBe('active');
  });

  it('if two tabs sign out, and one of them signs in at once', async () => {
    const world = createWorld();
    const slow = trouble(world);
    const { auth } = await world.openSignedInTab({}, { vault: slow.vault });
    slow.mode = 'slow';
    const left = auth.signOut();
    await settle();
    await world.vault.compareAndSwap(1, { session: null, endedReason: 'user' });
    asBob(world);
    const signedIn = auth.signIn(bob);
    await world.time.advance(10_000);
    await Promise.all([left, signedIn]);
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
  });
});

describe('every session that the user left here is over', () => {
  it('if the user left it and signed in again while storage is locked, and another tab refreshes it', async () => {
    const world = createWorld();
    const slow = trouble(world);
    const { auth } = await world.openSignedInTab({}, { vault: slow.vault });
    slow.mode = 'locked';
    await expect(auth.signOut()).rejects.toMatchObject({ code: 'storage-unavailable' });
    asBob(world);
    await auth.signIn(bob);
    await refreshElsewhere(world);
    slow.mode = 'fine';
    await world.time.advance(MINUTE);
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
  });

  it('if another user is being stored over it while another tab refreshes it', async () => {
    const world = createWorld();
    const slow = trouble(world);
    const { auth } = await world.openSignedInTab({}, { vault: slow.vault });
    asBob(world);
    slow.mode = 'slow';
    const signedIn = outcome(auth.signIn(bob));
    await settle();
    const left = auth.signOut();
    await settle();
    await refreshElsewhere(world);
    await world.time.advance(MINUTE);
    await Promise.all([signedIn, left]);
    expect(auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
  });

  it('but no other: a tombstone that waited does not end a later sign-in of a server that names no sessions', async () => {
    const world = createWorld();
    world.server.extra = {};
    const slow = trouble(world);
    const { auth } = await world.openSignedInTab({}, { vault: slow.vault });
    slow.mode = 'locked';
    await expect(auth.signOut()).rejects.toMatchObject({ code: 'storage-unavailable' });
    await world.time.advance(1_000);
    const other = await world.openSignedInTab();
    slow.mode = 'fine';
    await world.time.advance(MINUTE);
    expect(other.auth.getSnapshot().status).toBe('active');
  });

  it('but no other: a sign-in that was written late does not overwrite its own successor', async () => {
    const world = createWorld();
    world.server.extra = {};
    const slow = Object.assign(trouble(world), { slowMs: 20_000 });
    const { auth } = world.openTab({}, { vault: slow.vault });
    const other = world.openTab();
    await other.auth.ready();
    slow.mode = 'once';
    const signedIn = auth.signIn(ada);
    await world.time.advance(21_000);
    await signedIn;
    other.auth.extend();
    await settle();
    slow.mode = 'fine';
    await world.time.advance(2 * DUE);
    expect(used(world)).toEqual([...new Set(used(world))]);
  });
});

describe('a write that was given up and succeeds late', () => {
  it('does not bring back a sign-in that the user has left in another tab', async () => {
    const world = createWorld();
    const slow = Object.assign(trouble(world), { slowMs: 20_000 });
    const tab = world.openTab({}, { vault: slow.vault });
    const other = world.openTab();
    await other.auth.ready();
    slow.mode = 'once';
    const signedIn = tab.auth.signIn(ada);
    await world.time.advance(21_000);
    await signedIn;
    expect(other.auth.getSnapshot().status).toBe('active');
    slow.mode = 'fine';
    await other.auth.signOut();
    await world.time.advance(MINUTE);
    expect(other.auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
    expect((await world.vault.read())?.session).toBeNull();
  });
});

describe('a sign-out ends only the sessions that were there', () => {
  it('and a sign-in that is still at the server', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    world.server.delayMs = 2_000;
    const signedIn = outcome(auth.signIn(ada));
    await settle();
    await auth.signOut();
    await world.time.advance(MINUTE);
    await signedIn;
    expect(auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
  });

  it('and not a sign-in that came while the previous user was signed out everywhere', async () => {
    const world = createWorld();
    let answer: (response: Response) => void = () => {};
    const { auth } = await world.openSignedInTab({ fetch: () => new Promise((resolve) => (answer = resolve)) });
    const left = outcome(signOutEverywhere(auth));
    await settle();
    asBob(world);
    await auth.signIn(bob);
    answer(new Response());
    await left;
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
  });
});

describe('no request is sent as another user', () => {
  it('such as a stream that waits for a newer token when another user signs in', async () => {
    const wrong: number[] = [];
    for (let turns = 0; turns < 16; turns++) {
      const world = createWorld();
      const sent: (string | null)[] = [];
      const fetch: typeof globalThis.fetch = (_input, init) => {
        sent.push(new Headers(init?.headers).get('authorization'));
        return Promise.resolve(new Response());
      };
      let gate = Promise.resolve();
      let open = (): void => {};
      const compareAndSwap: Vault['compareAndSwap'] = (version, next) =>
        gate.then(() => world.vault.compareAndSwap(version, next));
      const { auth } = await world.openSignedInTab({ fetch }, { vault: { ...world.vault, compareAndSwap } });
      world.server.answers.push(json(503, {}, { 'retry-after': '300' }));
      await world.time.advance(DUE);
      gate = new Promise((resolve) => (open = resolve));
      asBob(world);
      const signedIn = auth.signIn(bob);
      await settle();
      open();
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const asked = auth.getSnapshot();
      const init = { method: 'POST', body: new ReadableStream({ start: (c) => c.close() }), duplex: 'half' };
      const request = outcome(auth.fetch('https://api.example.com/x', init));
      await signedIn;
      await world.time.advance(MINUTE);
      await request;
      const isOfAda = asked.status === 'active' && asked.user.sub === 'user-1';
      if (isOfAda && sent.includes('Bearer access-2')) wrong.push(turns);
    }
    expect(wrong).toEqual([]);
  });

  it('such as one that was parked while the stored session was unknown', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    const read: Vault['read'] = () => Promise.reject(new Error('locked'));
    const { auth } = world.openTab({}, { vault: { ...world.vault, read } });
    const parked = outcome(auth.getAccessToken());
    await world.time.advance(20_000);
    asBob(world);
    await auth.signIn(bob);
    expect(await parked).toMatchObject({ code: 'user-changed' });
  });
});

describe('a prompt that is over changes nothing', () => {
  it('if it fails while a newer one is open', async () => {
    const world = createWorld();
    const rejects: ((error: unknown) => void)[] = [];
    const method: SignInMethod = () => new Promise((_resolve, reject) => rejects.push(reject));
    const { auth } = await world.openSignedInTab({ reauthentication: [automaticStage('passkey', method)] });
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    await world.time.advance(DUE);
    await auth.signIn(ada);
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    await world.time.advance(DUE);
    expect(rejects).toHaveLength(2);
    rejects[0]?.(new DOMException('aborted', 'AbortError'));
    await settle();
    expect(auth.getSnapshot().status).toBe('reauthentication-required');
  });

  it.each([2_000, 7_000])('if it is declined while the sign-in is being stored, which takes %i ms', async (slowMs) => {
    const world = createWorld();
    const slow = Object.assign(trouble(world), { slowMs });
    const tab = await world.openSignedInTab({}, { vault: slow.vault });
    world.server.answers.push(json(400, { error: 'invalid_grant' }));
    await world.time.advance(DUE);
    const parked = outcome(tab.auth.getAccessToken());
    slow.mode = 'slow';
    world.server.extra = { sid: 'session-1b', sub: 'user-1' };
    const signedIn = tab.auth.signIn(ada);
    await settle();
    tab.auth.declineReauthentication();
    slow.mode = 'fine';
    await world.time.advance(MINUTE);
    await signedIn;
    expect([tab.auth.getSnapshot().status, await parked, tab.seen('signed-out')]).toEqual(['active', 'resolved', []]);
  });
});

describe('a refresh loses nothing', () => {
  it('stores a rotated token over the spent one that a late write brought back', async () => {
    const world = createWorld();
    const slow = Object.assign(trouble(world), { slowMs: 7_000 });
    const { auth } = await world.openSignedInTab({}, { vault: slow.vault });
    world.server.answers.push(json(200, { access_token: 'alone', token_type: 'Bearer', expires_in: 900 }));
    slow.mode = 'slow';
    auth.extend();
    await settle();
    slow.mode = 'fine';
    await world.time.advance(5_500);
    world.server.delayMs = 3_000;
    auth.extend();
    await world.time.advance(5_000);
    // 'refresh-2' was handed out, and the first write arrived while it was under way.
    expect((await world.vault.read())?.session?.refreshToken).toBe('refresh-2');
  });

  it('the next one reports user activity that came while it was under way', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    world.server.delayMs = 3_000;
    while (world.server.refreshes() === 0) await world.time.advance(1_000);
    auth.userActive();
    await world.time.advance(DUE + 5_000);
    const refreshes = world.server.requests.filter((form) => form.get('grant_type') === 'refresh_token');
    expect(refreshes.map((form) => form.get('user_active'))).toEqual(['false', null]);
  });
});

describe('a double submit', () => {
  it('and then a sign-out: the first session does not come back', async () => {
    const world = createWorld();
    const slow = trouble(world);
    const { auth } = world.openTab({}, { vault: slow.vault });
    await auth.ready();
    slow.mode = 'slow';
    const first = outcome(auth.signIn(ada));
    await settle();
    world.server.extra = { sid: 'session-1b', sub: 'user-1' };
    const second = outcome(auth.signIn(ada));
    await settle();
    const left = auth.signOut();
    await world.time.advance(MINUTE);
    await Promise.all([first, second, left]);
    expect(auth.getSnapshot()).toEqual({ status: 'signed-out', reason: 'user' });
  });
  it('whose answers cross: one of the two sessions stays', async () => {
    const world = createWorld();
    const slow = trouble(world);
    let serial = 0;
    const transport: typeof world.transport = async (request, signal) => {
      if (!request.url.endsWith('/token')) return world.transport(request, signal);
      const number = ++serial;
      if (number === 1) await pass(world, 1_500);
      return json(200, {
        access_token: `access-${number}`,
        token_type: 'Bearer',
        expires_in: 900,
        refresh_token: `refresh-${number}`,
        sid: `session-${number}`,
        sub: 'user-1',
      });
    };
    const { auth } = world.openTab({}, { vault: slow.vault, transport });
    await auth.ready();
    slow.mode = 'slow';
    const first = auth.signIn(ada);
    await world.time.advance(500);
    const second = auth.signIn(ada);
    await world.time.advance(MINUTE);
    await Promise.all([first, second]);
    const kept = (await world.vault.read())?.session?.refreshToken;
    expect(revoked(world)).not.toContain(kept);
  });
  it('with a cookie session that has no name: the session that stays is not revoked', async () => {
    const world = createWorld('cookie');
    world.server.extra = {};
    const { auth } = world.openTab();
    await auth.ready();
    world.server.requests.length = 0;
    await Promise.all([auth.signIn(ada), auth.signIn(ada)]);
    await world.time.advance(MINUTE);
    // The request names only the client, so it revokes the session of the cookie.
    const bare = world.server.requests.filter((form) => [...form.keys()].join() === 'client_id');
    expect(bare).toEqual([]);
  });
});

describe('a clock that was set back', () => {
  it('does not make the previous session the newer one', async () => {
    const world = createWorld();
    (await world.openSignedInTab()).auth.dispose();
    const record = await world.vault.read();
    if (!record?.session) throw new Error('nothing stored');
    await world.vault.compareAndSwap(record.version, {
      session: { ...record.session, startedAtMs: record.session.startedAtMs + 60 * MINUTE },
      endedReason: null,
    });
    const read: Vault['read'] = () => Promise.reject(new Error('locked'));
    const { auth } = world.openTab({}, { vault: { ...world.vault, read } });
    await settle();
    asBob(world);
    await auth.signIn(bob);
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', user: { sub: 'user-2' } });
  });

  it('does not make an old token look fresh forever: it is replaced when its lifetime is over', async () => {
    const world = createWorld();
    const { auth } = await world.openSignedInTab();
    world.time.jumpWall(-60 * MINUTE);
    await world.time.advance(16 * MINUTE);
    expect(world.server.refreshes()).toBe(1);
    expect(await auth.getAccessToken()).toBe('access-2');
  });
});

describe('a tab that is frozen while it opens', () => {
  it('reads again before it shows the user as signed out', async () => {
    const world = createWorld();
    let isFirst = true;
    let thaw = (): void => {};
    const read: Vault['read'] = async () => {
      const record = await world.vault.read();
      if (isFirst) await new Promise<void>((resolve) => (thaw = resolve));
      return record;
    };
    const tab = world.openTab({}, { vault: { ...world.vault, read } });
    await settle();
    isFirst = false;
    await world.openSignedInTab();
    world.time.jumpWall(MINUTE);
    thaw();
    expect((await tab.auth.ready()).status).toBe('active');
    expect(tab.seen('signed-out')).toEqual([]);
  });
});
