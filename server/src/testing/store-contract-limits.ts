import { expect, test } from 'vitest';
import type { SessionRecord } from '../storage/store.ts';
import { CAUSE, CONTRACT_POLICY, newSecret, type Open, type StoreUnderTest } from './store-bench.ts';

export function testLimitOfChains(open: Open, under: () => StoreUnderTest): void {
  test('beyond the limit of devices the least recently used one ends, and a device that signs in again ends none', async () => {
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

  test('a weak sign-in never ends a stronger device, and is refused if only stronger ones are left', async () => {
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
    // The refusal has not consumed the code.
    await bench.store.sessions.endChain(third.sid, CAUSE);
    expect((await bench.exchange(code)).kind).toBe('exchanged');
  });
}

export function testReturningDevices(open: Open): void {
  test('a device whose sessions have ended counts again when it signs in, so the limit of devices holds', async () => {
    const bench = open();
    const { sub, secretHash, chain } = await bench.chainOf(1);
    const [over] = chain;
    await bench.store.sessions.revoke(over.sid, CAUSE);
    const devices: SessionRecord[] = [];
    for (let times = 0; times < CONTRACT_POLICY.maxDeviceChainsPerUser; times++) {
      devices.push(await bench.signInWith(sub, {}));
    }
    const back = await bench.signInWith(sub, { secretHash });
    expect(back.deviceId).toBe(over.deviceId);
    expect(await bench.areAlive(...devices, back)).toEqual([false, true, true, true]);
  });

  test('a device keeps its name even if a tab names a session that never had it', async () => {
    const bench = open();
    const { sub, secretHash, chain } = await bench.chainOf(2);
    const [stale, newer] = chain;
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

export function testLimitOfSessions(open: Open): void {
  test('a chain has a limit of live sessions, and the named session is never ended', async () => {
    const bench = open();
    const { sub, secretHash, chain } = await bench.chainOf(1);
    const [first] = chain;
    const all = [first];
    for (let times = 0; times < 5; times++) {
      all.push(await bench.signInWith(sub, { secretHash, replaces: first.sid }));
    }
    const alive = await bench.areAlive(...all);
    expect(alive.filter(Boolean)).toHaveLength(CONTRACT_POLICY.maxSessionsPerDeviceChain);
    expect(alive).toEqual([true, false, false, true, true, true]);
  });

  test('a browser with cookies of too many devices keeps the most recently used ones', async () => {
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

  test('a browser with too many cookies loses weaker devices first, and a weak sign-in ends no stronger one', async () => {
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

  test('a weak sign-in is refused in a browser full of stronger sessions of other devices', async () => {
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
    // On the same device a later session replaces the earlier ones, as everywhere.
    expect((await bench.exchange(code, { secretHash, copiesOf })).kind).toBe('exchanged');
  });

  test('an account that signs in too often learns when to retry, and its code stays valid', async () => {
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
