import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '../core/policy.ts';
import type { HttpResponse, Outbox, Platform } from '../core/ports.ts';
import { memoryOutbox } from '../platform/memory-vault.ts';
import { ada, MINUTE, never, revoked, watch } from '../testing/trouble.ts';
import { createWorld, json, settle, type World } from '../testing/world.ts';

// The server must learn of a sign-out. Otherwise the session lives on there, for a thief and in the list of devices.

/** A revocation endpoint that gives these answers first and then works. `null`: no answer. */
function answeringRevocations(world: World, answers: (HttpResponse | null)[]) {
  const sentAtMs: number[] = [];
  const transport: Platform['transport'] = async (request, signal) => {
    if (!request.url.endsWith('/revoke')) return world.transport(request, signal);
    sentAtMs.push(world.time.clock.now().monotonicMs);
    const answer = answers.shift();
    if (answer === null) throw new TypeError('Failed to fetch');
    return answer ?? world.transport(request, signal);
  };
  return { transport, sentAtMs };
}

const unavailable = (retryAfter?: string): HttpResponse =>
  json(503, { error: 'temporarily_unavailable' }, retryAfter === undefined ? {} : { 'retry-after': retryAfter });

const gaps = (timesMs: readonly number[]): number[] =>
  timesMs.slice(1).map((timeMs, at) => timeMs - (timesMs[at] ?? NaN));

describe('a sign-out that the server did not take is sent again by itself', () => {
  it.each([
    ['the server had a bad minute', unavailable()],
    ['the network was away for a moment, and the platform said nothing', null],
    ['too many had asked', json(429, { error: 'temporarily_unavailable' })],
    ['a portal had answered', { status: 404, headers: {}, body: '<html>' }],
  ])('when %s, without a reconnect or a return to the tab', async (_case, answer) => {
    const world = createWorld();
    const { transport } = answeringRevocations(world, [answer]);
    const { auth } = await world.openSignedInTab({}, { transport });
    await auth.signOut();
    await world.time.advance(MINUTE);
    expect(revoked(world)).toEqual(['refresh-1']);
    expect(await auth.platform.outbox.list()).toEqual([]);
  });

  it.each([400, 401, 403])(
    'when a %i is about the proof, the client or the moment, not about the token',
    async (status) => {
      const codes = ['invalid_dpop_proof', 'invalid_client', 'unauthorized_client', 'access_denied', 'server_error'];
      const world = createWorld();
      const answers = codes.map((error) => json(status, { error }));
      const { transport } = answeringRevocations(world, answers);
      const { auth } = await world.openSignedInTab({}, { transport });
      await auth.signOut();
      await world.time.advance(MINUTE);
      expect(answers).toEqual([]);
      expect(revoked(world)).toEqual(['refresh-1']);
    },
  );

  it('at growing intervals of minutes at most: a server that is down for hours is not asked all the time', async () => {
    const world = createWorld();
    const { transport, sentAtMs } = answeringRevocations(
      world,
      Array.from({ length: 1_000 }, () => null),
    );
    const { auth } = await world.openSignedInTab({}, { transport });
    await auth.signOut();
    await world.time.advance(6 * 60 * MINUTE);
    const waitedMs = gaps(sentAtMs);
    expect(waitedMs).toEqual(waitedMs.toSorted((a, b) => a - b));
    expect(waitedMs[0]).toBeLessThan(1_000);
    expect(waitedMs.at(-1)).toBeGreaterThan(MINUTE);
    expect(waitedMs.at(-1)).toBeLessThanOrEqual(5 * MINUTE);
    expect(sentAtMs.length).toBeLessThan(120);
  });

  it('no sooner than Retry-After says, but within minutes if it says a day by mistake', async () => {
    const world = createWorld();
    const { transport, sentAtMs } = answeringRevocations(world, [unavailable('120'), unavailable('86400')]);
    const { auth } = await world.openSignedInTab({}, { transport });
    await auth.signOut();
    await world.time.advance(10 * MINUTE);
    expect(gaps(sentAtMs)).toEqual([2 * MINUTE, 5 * MINUTE]);
  });

  it('also if the outbox can keep nothing', async () => {
    const world = createWorld();
    const locked = (): Promise<never> => Promise.reject(new Error('locked'));
    const outbox: Outbox = { list: locked, add: locked, remove: locked };
    const { transport } = answeringRevocations(world, [unavailable(), null]);
    const { auth } = await world.openSignedInTab({}, { transport, outbox });
    await auth.signOut();
    await world.time.advance(10 * MINUTE);
    expect(revoked(world)).toEqual(['refresh-1']);
  });

  it('and does not hold up another one', async () => {
    const world = createWorld();
    const { transport } = answeringRevocations(world, [null, null, unavailable('300')]);
    const { auth } = await world.openSignedInTab({}, { transport });
    await auth.signOut();
    await auth.signIn({ username: 'ada', password: 'secret' });
    await auth.signOut();
    await world.time.advance(MINUTE / 2);
    expect(revoked(world)).toEqual([]);
    await world.time.advance(5 * MINUTE);
    expect(revoked(world).toSorted()).toEqual(['refresh-1', 'refresh-2']);
  });
});

describe('a sign-out that the server will never take', () => {
  it.each(['invalid_grant', 'invalid_request', 'invalid_token', 'unsupported_token_type'])(
    'is not sent again: %s',
    async (error) => {
      const world = createWorld();
      const { transport, sentAtMs } = answeringRevocations(world, [json(400, { error })]);
      const { auth } = await world.openSignedInTab({}, { transport });
      await auth.signOut();
      await world.time.advance(60 * MINUTE);
      expect(sentAtMs).toHaveLength(1);
      expect(await auth.platform.outbox.list()).toEqual([]);
    },
  );
});

describe('a sign-in after a sign-out that was lost on its way', () => {
  it('waits for all pending sign-outs together, one response deadline at most', async () => {
    const world = createWorld();
    const outbox = memoryOutbox();
    for (const each of ['a', 'b', 'c', 'd', 'e']) await outbox.add({ sid: null, refreshToken: each });
    const transport: Platform['transport'] = (request, signal) =>
      request.url.endsWith('/revoke') ? never() : world.transport(request, signal);
    const { auth } = world.openTab({}, { transport, outbox });
    await auth.ready();
    await settle();
    const signedIn = watch(auth.signIn(ada));
    await world.time.advance(defaultPolicy.responseDeadlineMs + 1);
    expect(signedIn.is).toBe('resolved');
    expect(await outbox.list()).toHaveLength(5);
  });

  it('delivers the sign-out first: delivered later, it would end the new session', async () => {
    const world = createWorld();
    const { transport } = answeringRevocations(world, [null]);
    const { auth } = await world.openSignedInTab({}, { transport });
    await auth.signOut();
    await settle();
    await auth.signIn({ username: 'ada', password: 'secret' });
    const told = world.server.requests.findIndex((form) => form.get('token') === 'refresh-1');
    const exchanged = world.server.requests.findLastIndex((form) => form.get('grant_type') === 'authorization_code');
    expect(told).toBeGreaterThan(-1);
    expect(told).toBeLessThan(exchanged);
  });
});

describe('sending it again costs little', () => {
  it('sets one timer, however often the network comes and goes, and none when all is delivered', async () => {
    const world = createWorld();
    const { transport, sentAtMs } = answeringRevocations(
      world,
      Array.from({ length: 21 }, () => null),
    );
    const { auth, signal } = await world.openSignedInTab({}, { transport });
    await auth.signOut();
    for (let turn = 0; turn < 20; turn++) {
      signal('online');
      await settle();
    }
    const before = sentAtMs.length;
    await world.time.advance(60 * MINUTE);
    expect(sentAtMs.length - before).toBe(1);
  });

  it('sends nothing for a service that was disposed of, even if a request was under way', async () => {
    const world = createWorld();
    const { transport, sentAtMs } = answeringRevocations(world, [null, null, null]);
    const { auth } = await world.openSignedInTab({}, { transport });
    await auth.signOut();
    await settle();
    auth.dispose();
    await world.time.advance(60 * MINUTE);
    expect(sentAtMs).toHaveLength(1);
    const late = await world.openSignedInTab({}, { transport });
    const left = late.auth.signOut();
    late.auth.dispose();
    await left.catch(() => {});
    const before = sentAtMs.length;
    await world.time.advance(60 * MINUTE);
    expect(sentAtMs.length - before).toBeLessThanOrEqual(1);
  });

  it('keeps no process alive: a command that signs out without a network ends', async () => {
    const world = createWorld();
    const holding = new Set<number>();
    let wakeUps = 0;
    const wake: Platform['clock']['wake'] = (delayMs, callback, isIdle) => {
      const id = ++wakeUps;
      if (!isIdle) holding.add(id);
      const end = (): boolean => holding.delete(id);
      const cancel = world.time.clock.wake(delayMs, () => {
        end();
        callback();
      });
      return () => {
        end();
        cancel();
      };
    };
    const { transport } = answeringRevocations(world, [null]);
    const { auth } = await world.openSignedInTab({}, { transport, clock: { ...world.time.clock, wake } });
    await auth.signOut();
    await settle();
    expect(holding.size).toBe(0);
  });
});
