import { expect, test } from 'vitest';
import { ADDRESS, CAUSE, newSecret, type Open } from './store-bench.ts';

export function testJoining(open: Open): void {
  test('a device that signs in again without a named session stays one device, by its secret', async () => {
    const bench = open();
    const [first, second] = (await bench.chainOf(2)).chain;
    expect(second.deviceId).toBe(first.deviceId);
    expect(second.deviceSequence).toBeGreaterThan(first.deviceSequence);
    expect(second.hasPredecessors).toBe(true);
  });

  test('a device that has lost its secret stays one device, by a refresh token of any session of the chain', async () => {
    const bench = open();
    const { sub, chain } = await bench.chainOf(2);
    const [first, second] = chain;
    const third = await bench.signInWith(sub, { secretHash: newSecret(), replaces: first.sid, copiesOf: [second.sid] });
    expect(third.deviceId).toBe(first.deviceId);
    // A refresh token of an ended session is also proof.
    await bench.store.sessions.revoke(second.sid, CAUSE);
    const fourth = await bench.signInWith(sub, { replaces: first.sid, copiesOf: [second.sid] });
    expect(fourth.deviceId).toBe(first.deviceId);
  });

  test("an id alone, or another user's refresh token, gives no power over a session", async () => {
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

export function testFirstUse(open: Open): void {
  test('older sessions of a device end at the first use of a newer one, so a lost answer loses no session', async () => {
    const bench = open();
    const { sub, secretHash, chain } = await bench.chainOf(1);
    const [a] = chain;
    const b = await bench.signInWith(sub, { secretHash, replaces: a.sid });
    const c = await bench.signInWith(sub, { secretHash, replaces: b.sid });
    expect(await bench.areAlive(a, b, c)).toEqual([true, true, true]);
    expect(new Set(await bench.use(c))).toEqual(new Set([a.sid, b.sid]));
    expect(await bench.areAlive(a, b, c)).toEqual([false, false, true]);
    // The flag is cleared, so the next use needs no second step.
    expect(await bench.use(c)).toEqual([]);
  });

  test('a late use of a middle session leaves the newer one alive', async () => {
    const bench = open();
    const [a, b, c] = (await bench.chainOf(3)).chain;
    await bench.use(b);
    expect(await bench.areAlive(a, b, c)).toEqual([false, true, true]);
  });

  test('a page that signs in repeatedly has two live sessions at most', async () => {
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

  test('an exchange without the named session’s own refresh token is no use of it, because another tab may need the older one', async () => {
    const bench = open();
    const { sub, secretHash, chain } = await bench.chainOf(2);
    const [a, b] = chain;
    await bench.signInWith(sub, { secretHash, replaces: b.sid, copiesOf: [a.sid] });
    expect(await bench.areAlive(a, b)).toEqual([true, true]);
  });

  test('a session that has ended meanwhile ends no other', async () => {
    const bench = open();
    const [a, b] = (await bench.chainOf(2)).chain;
    await bench.store.sessions.revoke(b.sid, { reason: 'discarded', address: null });
    expect(await bench.store.sessions.endPredecessors(b, ADDRESS)).toEqual([]);
    expect(await bench.areAlive(a, b)).toEqual([true, false]);
  });
}

export function testSignOut(open: Open): void {
  test('a sign-out ends the older sessions of the device, and the newer ones that were never used', async () => {
    const bench = open();
    const [a, b, c] = (await bench.chainOf(3)).chain;
    await bench.store.sessions.signOut(b.sid, CAUSE);
    expect(await bench.areAlive(a, b, c)).toEqual([false, false, false]);
  });

  test('a sign-out leaves a newer session in use alive, because its tab did not ask for the sign-out', async () => {
    const bench = open();
    const [a, b] = (await bench.chainOf(2)).chain;
    await bench.use(b);
    await bench.store.sessions.signOut(a.sid, CAUSE);
    expect(await bench.areAlive(a, b)).toEqual([false, true]);
  });

  test('a sign-out ends a used session below one that it ends, because one tab made both and stored neither', async () => {
    const bench = open();
    const [a, b, c] = (await bench.chainOf(3)).chain;
    await bench.use(b);
    await bench.store.sessions.signOut(a.sid, CAUSE);
    expect(await bench.areAlive(a, b, c)).toEqual([false, false, false]);
  });

  test('a sign-out of an ended session still ends the unused sessions of its device', async () => {
    const bench = open();
    const { sub, secretHash, chain } = await bench.chainOf(1);
    const [a] = chain;
    await bench.store.sessions.revoke(a.sid, { reason: 'reuse', address: null });
    const b = await bench.signInWith(sub, { secretHash, replaces: a.sid });
    await bench.store.sessions.signOut(a.sid, CAUSE);
    expect(await bench.areAlive(b)).toEqual([false]);
  });

  test('a sign-out that is repeated after a lost answer ends no session that began after it', async () => {
    const bench = open();
    const { sub, secretHash, chain } = await bench.chainOf(1);
    const [a] = chain;
    await bench.store.sessions.signOut(a.sid, CAUSE);
    const underWay = await bench.issue({ sub });
    const b = await bench.signInWith(sub, { secretHash });
    await bench.store.sessions.signOut(a.sid, CAUSE);
    expect(await bench.areAlive(a, b)).toEqual([false, true]);
    expect((await bench.exchange(underWay, { secretHash })).kind).toBe('exchanged');
  });

  test('a sign-in under way at a sign-out makes no session, and a later sign-in does', async () => {
    const bench = open();
    const { sub, secretHash, chain } = await bench.chainOf(1);
    const [a] = chain;
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

export function testWholeChains(open: Open): void {
  test('ending another device ends its whole chain, in use or not, and no other chain', async () => {
    const bench = open();
    const { sub, chain } = await bench.chainOf(2);
    const [a, b] = chain;
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
