import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Delivery, ExchangeResult, NewSession, SessionRecord, Store } from '../store.ts';

/** The parts of the storage port that the suite tests. */
export type TestedStore = Pick<Store, 'subjects' | 'sessions' | 'codes' | 'endings'>;

/** A store under test, with the limits that {@link CONTRACT_POLICY} says. */
export interface StoreUnderTest {
  readonly store: TestedStore;
  /** Moves every stored time of a session into the past, as if so much time had gone by. */
  readonly letTimePass: (sid: string, milliseconds: number) => Promise<void>;
}

/** The policy that the store under test is made with. */
export const CONTRACT_POLICY = {
  maxDeviceChainsPerUser: 3,
  maxSessionsPerDeviceChain: 4,
  signInBurstPerAccount: 12,
  signInIntervalSeconds: 3_600,
} as const;

const ADDRESS = '192.0.2.1';
const CAUSE = { reason: 'signed_out', address: ADDRESS } as const;
const DAY_SECONDS = 86_400;

type Evidence = Partial<NewSession['device']>;

interface SignIn {
  readonly sub: string;
  readonly acr?: string;
  readonly clientId?: string;
  readonly device?: Evidence;
}

/** Steps of the tests: sign-ins, uses, and a look at what is alive. */
class Bench {
  readonly store: TestedStore;
  constructor(store: TestedStore) {
    this.store = store;
  }

  newSub(): string {
    return `user|${randomBytes(8).toString('hex')}`;
  }

  async issue({ sub, acr = 'aal1', clientId = 'app' }: SignIn): Promise<Buffer> {
    const codeHash = createHash('sha256').update(randomBytes(16)).digest();
    await this.store.codes.insert({
      codeHash,
      clientId,
      sub,
      scope: ['notes'],
      codeChallenge: 'challenge',
      jkt: null,
      amr: ['pwd'],
      acr,
      signInEpoch: await this.store.subjects.epochOf(sub),
    });
    return codeHash;
  }

  exchange(codeHash: Buffer, device: Evidence = {}): Promise<ExchangeResult> {
    return this.store.codes.exchange(codeHash, {
      jkt: null,
      lifetimes: { inactivityTimeoutSeconds: DAY_SECONDS, absoluteLifetimeSeconds: 30 * DAY_SECONDS },
      nonce: randomBytes(12),
      address: ADDRESS,
      userAgent: 'contract',
      device: { secretHash: null, replaces: null, copiesOf: [], ...device },
    });
  }

  async signIn(signIn: SignIn): Promise<SessionRecord> {
    return deliveryOf(await this.exchange(await this.issue(signIn), signIn.device)).record;
  }

  async signInWith(sub: string, device: Evidence): Promise<SessionRecord> {
    return this.signIn({ sub, device });
  }

  /** A granted use, as an answer with an access token alone leaves it; the second step included. */
  async use({ sid }: SessionRecord): Promise<readonly string[]> {
    const version = { sid, generation: 0, replays: 0 };
    const activity = {
      isUserActive: true,
      inactivityTimeoutSeconds: DAY_SECONDS,
      address: ADDRESS,
      userAgent: 'contract',
    };
    const used = await this.store.sessions.slide(version, activity);
    if (used === null) throw new Error('a session that has ended cannot be used');
    if (!used.hasPredecessors) return [];
    return (await this.store.sessions.endPredecessors(used, ADDRESS)).map((ended) => ended.sid);
  }

  async areAlive(...sessions: readonly SessionRecord[]): Promise<readonly boolean[]> {
    const alive = new Set((await this.store.sessions.findLive(sessions.map(({ sid }) => sid))).map(({ sid }) => sid));
    return sessions.map(({ sid }) => alive.has(sid));
  }
}

function deliveryOf(result: ExchangeResult): Delivery {
  if (result.kind !== 'exchanged') throw new Error(`refused: ${JSON.stringify(result)}`);
  return result.delivery;
}

const newSecret = (): Buffer => createHash('sha256').update(randomBytes(32)).digest();

/** Tests of the storage port's contract, for every store there is. Call it at the top of a test file. */
export function testStoreContract(open: () => StoreUnderTest): void {
  const bench = (): Bench => new Bench(open().store);
  testJoining(bench);
  testFirstUse(bench);
  testSignOut(bench);
  testWholeChains(bench);
  testLimitOfChains(bench, open);
  testReturningDevices(bench);
  testLimitOfSessions(bench);
  testMassEndings(bench);
  testDeviceList(bench, open);
}

type Open = () => Bench;

function testJoining(open: Open): void {
  test('a device that signs in again without a named session stays one device, by its secret', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const first = await bench.signInWith(sub, { secretHash });
    const second = await bench.signInWith(sub, { secretHash });
    expect(second.deviceId).toBe(first.deviceId);
    expect(second.deviceSequence).toBeGreaterThan(first.deviceSequence);
    expect(second.hasPredecessors).toBe(true);
  });

  test('a device that has lost its secret stays one device, by a copy of any session of the chain', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const first = await bench.signInWith(sub, { secretHash });
    const second = await bench.signInWith(sub, { secretHash });
    const third = await bench.signInWith(sub, { secretHash: newSecret(), replaces: first.sid, copiesOf: [second.sid] });
    expect(third.deviceId).toBe(first.deviceId);
    // A copy of a session that has ended proves the same.
    await bench.store.sessions.revoke(second.sid, CAUSE);
    const fourth = await bench.signInWith(sub, { replaces: first.sid, copiesOf: [second.sid] });
    expect(fourth.deviceId).toBe(first.deviceId);
  });

  test('an id alone, or a copy of somebody else, gives no power over a session', async () => {
    const bench = open();
    const [sub, eve] = [bench.newSub(), bench.newSub()];
    const victim = await bench.signInWith(sub, {});
    const named = await bench.signInWith(sub, { replaces: victim.sid });
    const eves = await bench.signInWith(eve, { replaces: victim.sid, copiesOf: [victim.sid] });
    const otherClient = await bench.signIn({
      sub,
      clientId: 'other',
      device: { replaces: victim.sid, copiesOf: [victim.sid] },
    });
    const devices = [victim, named, eves, otherClient].map(({ deviceId }) => deviceId);
    expect(new Set(devices).size).toBe(4);
    expect([named, eves, otherClient].map(({ hasPredecessors }) => hasPredecessors)).toEqual([false, false, false]);
    expect(await bench.areAlive(victim)).toEqual([true]);
  });

  test('two stores of one browser are two devices', async () => {
    const bench = open();
    const sub = bench.newSub();
    const first = await bench.signInWith(sub, { secretHash: newSecret() });
    const second = await bench.signInWith(sub, { secretHash: newSecret(), copiesOf: [first.sid] });
    expect(second.deviceId).not.toBe(first.deviceId);
    await bench.use(second);
    expect(await bench.areAlive(first, second)).toEqual([true, true]);
  });

  test('all sessions of a user are in one bucket, and of many users in many', async () => {
    const bench = open();
    const buckets = new Set<string>();
    for (let user = 0; user < 12; user++) {
      const sub = bench.newSub();
      const sids = [await bench.signInWith(sub, {}), await bench.signInWith(sub, {})].map(({ sid }) => sid.slice(0, 2));
      expect(new Set(sids).size).toBe(1);
      buckets.add(sids[0] ?? '');
    }
    expect(buckets.size).toBeGreaterThan(3);
  });
}

function testFirstUse(open: Open): void {
  test('older sessions of a device end when a newer one is first used, not before: a lost answer loses nothing', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const a = await bench.signInWith(sub, { secretHash });
    const b = await bench.signInWith(sub, { secretHash, replaces: a.sid });
    const c = await bench.signInWith(sub, { secretHash, replaces: b.sid });
    expect(await bench.areAlive(a, b, c)).toEqual([true, true, true]);
    expect(new Set(await bench.use(c))).toEqual(new Set([a.sid, b.sid]));
    expect(await bench.areAlive(a, b, c)).toEqual([false, false, true]);
    // The flag is gone: the next use needs no second step.
    expect(await bench.use(c)).toEqual([]);
  });

  test('a late use of a middle session leaves the newer one alive', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const [a, b, c] = [
      await bench.signInWith(sub, { secretHash }),
      await bench.signInWith(sub, { secretHash }),
      await bench.signInWith(sub, { secretHash }),
    ];
    await bench.use(b);
    expect(await bench.areAlive(a, b, c)).toEqual([false, true, true]);
  });

  test('a page that signs in again and again has two live sessions at most', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    let newest = await bench.signInWith(sub, { secretHash });
    const all = [newest];
    for (let times = 0; times < 5; times++) {
      newest = await bench.signInWith(sub, { secretHash, replaces: newest.sid, copiesOf: [newest.sid] });
      all.push(newest);
      expect((await bench.areAlive(...all)).filter(Boolean)).toHaveLength(2);
    }
  });

  test('an exchange without the named session’s own copy is no use of it: another tab may still need the older one', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const a = await bench.signInWith(sub, { secretHash });
    const b = await bench.signInWith(sub, { secretHash });
    await bench.signInWith(sub, { secretHash, replaces: b.sid, copiesOf: [a.sid] });
    expect(await bench.areAlive(a, b)).toEqual([true, true]);
  });

  test('a session that has ended meanwhile ends no other', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const a = await bench.signInWith(sub, { secretHash });
    const b = await bench.signInWith(sub, { secretHash });
    await bench.store.sessions.revoke(b.sid, { reason: 'discarded', address: null });
    expect(await bench.store.sessions.endPredecessors(b, ADDRESS)).toEqual([]);
    expect(await bench.areAlive(a, b)).toEqual([true, false]);
  });
}

function testSignOut(open: Open): void {
  test('a sign-out ends the older sessions of the device, and the newer ones that were never used', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const [a, b, c] = [
      await bench.signInWith(sub, { secretHash }),
      await bench.signInWith(sub, { secretHash }),
      await bench.signInWith(sub, { secretHash }),
    ];
    await bench.store.sessions.signOut(b.sid, CAUSE);
    expect(await bench.areAlive(a, b, c)).toEqual([false, false, false]);
  });

  test('a sign-out leaves a newer session alive that is in use: its tab did not ask for it', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const a = await bench.signInWith(sub, { secretHash });
    const b = await bench.signInWith(sub, { secretHash });
    await bench.use(b);
    await bench.store.sessions.signOut(a.sid, CAUSE);
    expect(await bench.areAlive(a, b)).toEqual([false, true]);
  });

  test('a sign-out of a session that is over still ends what its device has not used', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const a = await bench.signInWith(sub, { secretHash });
    await bench.store.sessions.revoke(a.sid, { reason: 'reuse', address: null });
    const b = await bench.signInWith(sub, { secretHash, replaces: a.sid });
    await bench.store.sessions.signOut(a.sid, CAUSE);
    expect(await bench.areAlive(b)).toEqual([false]);
  });

  test('a sign-out that is told again ends no session that began after it: its answer was lost, and the user has signed in', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const a = await bench.signInWith(sub, { secretHash });
    await bench.store.sessions.signOut(a.sid, CAUSE);
    const underWay = await bench.issue({ sub });
    const b = await bench.signInWith(sub, { secretHash });
    await bench.store.sessions.signOut(a.sid, CAUSE);
    expect(await bench.areAlive(a, b)).toEqual([false, true]);
    expect((await bench.exchange(underWay, { secretHash })).kind).toBe('exchanged');
  });

  test('a sign-in that was under way at the sign-out makes no session; one that begins afterwards does', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const a = await bench.signInWith(sub, { secretHash });
    const underWay = await bench.issue({ sub });
    const elsewhere = await bench.issue({ sub });
    await bench.store.sessions.signOut(a.sid, CAUSE);
    expect(await bench.exchange(underWay, { secretHash, replaces: a.sid })).toEqual({
      kind: 'refused',
      reason: 'signed_out',
    });
    // Another device of the user was not signed out.
    expect((await bench.exchange(elsewhere, { secretHash: newSecret() })).kind).toBe('exchanged');
    expect((await bench.exchange(await bench.issue({ sub }), { secretHash })).kind).toBe('exchanged');
  });
}

function testWholeChains(open: Open): void {
  test('ending another device ends its whole chain, in use or not, and nothing of the others', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const a = await bench.signInWith(sub, { secretHash });
    const b = await bench.signInWith(sub, { secretHash });
    await bench.use(b);
    const other = await bench.signInWith(sub, {});
    expect(await bench.store.sessions.endChain(a.sid, CAUSE, 'somebody else')).toEqual([]);
    const ended = await bench.store.sessions.endChain(a.sid, CAUSE, sub);
    expect(ended.map(({ sid }) => sid)).toEqual([b.sid]);
    expect(await bench.areAlive(a, b, other)).toEqual([false, false, true]);
  });

  test('a device’s secret proves its chain and no other', async () => {
    const bench = open();
    const sub = bench.newSub();
    const [secretHash, another] = [newSecret(), newSecret()];
    const a = await bench.signInWith(sub, { secretHash });
    const other = await bench.signInWith(sub, { secretHash: another });
    expect(await bench.store.sessions.isDeviceOf(a.sid, secretHash)).toBe(true);
    expect(await bench.store.sessions.isDeviceOf(a.sid, another)).toBe(false);
    expect(await bench.store.sessions.isDeviceOf(other.sid, secretHash)).toBe(false);
  });
}

function testLimitOfChains(open: Open, under: () => StoreUnderTest): void {
  test('beyond the limit of devices the one used least lately ends; a device that signs in again ends none', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const devices = [
      await bench.signInWith(sub, { secretHash }),
      await bench.signInWith(sub, {}),
      await bench.signInWith(sub, {}),
    ];
    for (const [index, device] of devices.entries()) {
      await bench.use(device);
      await under().letTimePass(device.sid, index === 1 ? 60_000 : 1_000);
    }
    const again = await bench.signInWith(sub, { secretHash });
    expect(await bench.areAlive(...devices, again)).toEqual([true, true, true, true]);
    await bench.signInWith(sub, {});
    expect(await bench.areAlive(...devices, again)).toEqual([true, false, true, true]);
  });

  test('a device that was never used for 15 minutes ends before one that is in use', async () => {
    const bench = open();
    const sub = bench.newSub();
    const used = await bench.signInWith(sub, {});
    await bench.use(used);
    await under().letTimePass(used.sid, 3_600_000);
    const forgotten = await bench.signIn({ sub, acr: 'aal1' });
    await under().letTimePass(forgotten.sid, 16 * 60_000);
    await bench.signInWith(sub, {});
    await bench.signInWith(sub, {});
    expect(await bench.areAlive(used, forgotten)).toEqual([true, false]);
  });

  test('a weak sign-in never ends a device with a stronger one: it is refused when only such are left', async () => {
    const bench = open();
    const sub = bench.newSub();
    const strong = [await bench.signIn({ sub, acr: 'aal2' }), await bench.signIn({ sub, acr: 'aal2' })];
    const weak = await bench.signIn({ sub, acr: 'aal1' });
    await bench.use(weak);
    const next = await bench.signIn({ sub, acr: 'aal1' });
    expect(await bench.areAlive(...strong, weak, next)).toEqual([true, true, false, true]);
    const third = await bench.signIn({ sub, acr: 'aal2' });
    expect(await bench.areAlive(next)).toEqual([false]);
    const code = await bench.issue({ sub, acr: 'aal1' });
    expect(await bench.exchange(code)).toEqual({ kind: 'too_many_sessions' });
    expect(await bench.areAlive(...strong, third)).toEqual([true, true, true]);
    // The refusal has used nothing up.
    await bench.store.sessions.endChain(third.sid, CAUSE);
    expect((await bench.exchange(code)).kind).toBe('exchanged');
  });
}

function testReturningDevices(open: Open): void {
  test('a device whose sessions are over counts again when it signs in: the limit of devices holds', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const over = await bench.signInWith(sub, { secretHash });
    await bench.store.sessions.revoke(over.sid, CAUSE);
    const devices: SessionRecord[] = [];
    for (let times = 0; times < CONTRACT_POLICY.maxDeviceChainsPerUser; times++) {
      devices.push(await bench.signInWith(sub, {}));
    }
    const back = await bench.signInWith(sub, { secretHash });
    expect(back.deviceId).toBe(over.deviceId);
    expect(await bench.areAlive(...devices, back)).toEqual([false, true, true, true]);
  });

  test('the name of a device stays although the session that a tab names never had it', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const stale = await bench.signInWith(sub, { secretHash });
    const newer = await bench.signInWith(sub, { secretHash });
    await bench.use(newer);
    await bench.store.sessions.label(newer.sid, sub, 'Phone');
    await bench.use(await bench.signInWith(sub, { secretHash, replaces: stale.sid }));
    const { sessions } = await bench.store.sessions.listOfUser(sub, { currentSid: null, after: null, limit: 10 });
    expect(sessions).toMatchObject([{ deviceLabel: 'Phone' }]);
  });

  test('a browser with many cookies loses no device to sessions that its own sign-in has just ended', async () => {
    const bench = open();
    const sub = bench.newSub();
    const other = await bench.signInWith(sub, {});
    const secretHash = newSecret();
    const chain: SessionRecord[] = [];
    for (let times = 0; times < 4; times++) chain.push(await bench.signInWith(sub, { secretHash }));
    const replaces = chain.at(-1)?.sid ?? '';
    await bench.signInWith(sub, { secretHash, replaces, copiesOf: [other, ...chain].map(({ sid }) => sid) });
    expect(await bench.areAlive(other, ...chain)).toEqual([true, false, false, false, true]);
  });
}

function testLimitOfSessions(open: Open): void {
  test('a chain has so many live sessions at most, and the named one is never ended', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const first = await bench.signInWith(sub, { secretHash });
    const all = [first];
    for (let times = 0; times < 5; times++) {
      all.push(await bench.signInWith(sub, { secretHash, replaces: first.sid }));
    }
    const alive = await bench.areAlive(...all);
    expect(alive.filter(Boolean)).toHaveLength(CONTRACT_POLICY.maxSessionsPerDeviceChain);
    expect(alive).toEqual([true, false, false, true, true, true]);
  });

  test('a browser that brings cookies of too many devices keeps those used last', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const all: SessionRecord[] = [];
    for (let times = 0; times < 4; times++) all.push(await bench.signInWith(sub, { secretHash }));
    const other = await bench.signInWith(sub, {});
    await bench.use(other);
    await bench.signInWith(sub, { secretHash: newSecret(), copiesOf: [...all, other].map(({ sid }) => sid) });
    expect(await bench.areAlive(...all, other)).toEqual([false, true, true, true, true]);
  });

  test('a browser with too many cookies loses the weaker devices first, and a weak sign-in none that is stronger', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const strong = await bench.signIn({ sub, acr: 'aal2', device: {} });
    const weak: SessionRecord[] = [];
    for (let times = 0; times < 4; times++) weak.push(await bench.signInWith(sub, { secretHash }));
    const copiesOf = [strong, ...weak].map(({ sid }) => sid);
    await bench.signInWith(sub, { secretHash: newSecret(), copiesOf });
    expect(await bench.areAlive(strong, ...weak)).toEqual([true, false, true, true, true]);
  });

  test('a weak sign-in is refused in a browser that is full of stronger sessions of other devices', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const strong: SessionRecord[] = [];
    for (let times = 0; times < 4; times++)
      strong.push(await bench.signIn({ sub, acr: 'aal2', device: { secretHash } }));
    const copiesOf = strong.map(({ sid }) => sid);
    const code = await bench.issue({ sub });
    expect(await bench.exchange(code, { secretHash: newSecret(), copiesOf })).toEqual({ kind: 'too_many_sessions' });
    expect(await bench.areAlive(...strong)).toEqual([true, true, true, true]);
    // On the device itself a later session takes the place of the earlier ones, as everywhere.
    expect((await bench.exchange(code, { secretHash, copiesOf })).kind).toBe('exchanged');
  });

  test('an account that signs in too often is told when to come back, and its code still serves', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    for (let times = 0; times < CONTRACT_POLICY.signInBurstPerAccount; times++)
      await bench.signInWith(sub, { secretHash });
    const code = await bench.issue({ sub });
    const delayed = await bench.exchange(code, { secretHash });
    if (delayed.kind !== 'delayed') throw new Error(`not delayed: ${delayed.kind}`);
    expect(delayed.retryAfterMs).toBeGreaterThan(3_500_000);
    expect(delayed.retryAfterMs).toBeLessThanOrEqual(3_600_000);
    expect(await bench.store.codes.find(code)).toMatchObject({ sid: null });
  });
}

function testMassEndings(open: Open): void {
  test('ending all sessions goes on slice by slice to the last, spares one, and voids sign-ins under way', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const spared = await bench.signInWith(sub, { secretHash });
    const others = [
      await bench.signInWith(sub, { secretHash }),
      await bench.signInWith(sub, {}),
      await bench.signInWith(sub, {}),
    ];
    const underWay = await bench.issue({ sub });
    const intent = await bench.store.sessions.revokeAllOfUser(sub, { ...CAUSE, sessions: { allBut: spared.sid } });
    if (intent === null) throw new Error('there is something to end');
    expect(await bench.exchange(underWay)).toEqual({ kind: 'refused', reason: 'code' });
    const afterwards = await bench.signInWith(sub, { secretHash });
    const ended: string[] = [];
    for (let isComplete = false; !isComplete;) {
      const slice = await bench.store.endings.endSlice(intent, 2);
      expect(slice.ended.length).toBeLessThanOrEqual(2);
      ended.push(...slice.ended.map(({ sid }) => sid));
      ({ isComplete } = slice);
    }
    expect(new Set(ended)).toEqual(new Set(others.map(({ sid }) => sid)));
    expect(await bench.areAlive(spared, ...others, afterwards)).toEqual([true, false, false, false, true]);
    expect(await bench.store.endings.endSlice(intent, 2)).toEqual({ ended: [], isComplete: true });
  });

  test('two nodes that go on with one intent end no session twice', async () => {
    const bench = open();
    const sub = bench.newSub();
    for (let times = 0; times < 3; times++) await bench.signInWith(sub, {});
    const intent = await bench.store.sessions.revokeAllOfUser(sub, { ...CAUSE, sessions: 'all' });
    if (intent === null) throw new Error('there is something to end');
    const slices = await Promise.all(Array.from({ length: 6 }, () => bench.store.endings.endSlice(intent, 1)));
    const ended = slices.flatMap((slice) => slice.ended.map(({ sid }) => sid));
    expect(ended).toHaveLength(3);
    expect(new Set(ended).size).toBe(3);
  });

  test('the epoch moves although no session ends, and a user that nobody knows has none', async () => {
    const bench = open();
    const sub = bench.newSub();
    expect(await bench.store.subjects.epochOf(sub)).toBe(0);
    expect(await bench.store.sessions.revokeAllOfUser(sub, { ...CAUSE, sessions: 'none' })).toBeNull();
    expect(await bench.store.subjects.epochOf(sub)).toBe(1);
    const handle = await bench.store.subjects.userHandleOf(sub);
    expect(handle).toHaveLength(32);
    expect(await bench.store.subjects.userHandleOf(sub)).toEqual(handle);
  });
}

function testDeviceList(open: Open, under: () => StoreUnderTest): void {
  test('the list has one entry a device, the session used last, in pages; and says which one asks', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const a = await bench.signInWith(sub, { secretHash });
    const b = await bench.signInWith(sub, { secretHash });
    await bench.use(a);
    const others = [await bench.signInWith(sub, {}), await bench.signInWith(sub, {})];
    await under().letTimePass(a.sid, 3_000_000);
    await under().letTimePass(others[0]?.sid ?? '', 2_000_000);
    const list = (after: Parameters<typeof bench.store.sessions.listOfUser>[1]['after']) =>
      bench.store.sessions.listOfUser(sub, { currentSid: b.sid, after, limit: 2 });
    const first = await list(null);
    expect(first.sessions.map(({ sid }) => sid)).toEqual([others[1]?.sid, others[0]?.sid]);
    const second = await list(first.next);
    expect(second.next).toBeNull();
    expect(second.sessions).toMatchObject([{ sid: a.sid, deviceId: a.deviceId, isCurrent: true }]);
    expect(first.sessions.map(({ isCurrent }) => isCurrent)).toEqual([false, false]);
  });

  test('the name of a device stays with it when it signs in again', async () => {
    const bench = open();
    const sub = bench.newSub();
    const secretHash = newSecret();
    const a = await bench.signInWith(sub, { secretHash });
    expect(await bench.store.sessions.label(a.sid, 'somebody else', 'Phone')).toBe(false);
    expect(await bench.store.sessions.label(a.sid, sub, 'Phone')).toBe(true);
    await bench.store.sessions.revoke(a.sid, CAUSE);
    await bench.signInWith(sub, { secretHash });
    const { sessions } = await bench.store.sessions.listOfUser(sub, { currentSid: null, after: null, limit: 10 });
    expect(sessions).toMatchObject([{ deviceLabel: 'Phone', isCurrent: false }]);
  });
}
