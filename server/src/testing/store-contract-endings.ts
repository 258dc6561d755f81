import { expect, test } from 'vitest';
import { CAUSE, type Open, type StoreUnderTest } from './store-bench.ts';

export function testMassEndings(open: Open): void {
  test('ending all sessions proceeds slice by slice to the last, spares one, and voids sign-ins under way', async () => {
    const bench = open();
    const { sub, secretHash, chain } = await bench.chainOf(1);
    const [spared] = chain;
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

  test('two nodes that work on one intent end no session twice', async () => {
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

  test('the epoch moves even if no session ends, and an unknown user has none', async () => {
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

export function testDeviceList(open: Open, under: () => StoreUnderTest): void {
  test("the list has one entry per device with its last used session, in pages, and marks the caller's device", async () => {
    const bench = open();
    const { sub, chain } = await bench.chainOf(2);
    const [a, b] = chain;
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

  test('a device keeps its name when it signs in again', async () => {
    const bench = open();
    const { sub, secretHash, chain } = await bench.chainOf(1);
    const [a] = chain;
    expect(await bench.store.sessions.label(a.sid, 'somebody else', 'Phone')).toBe(false);
    expect(await bench.store.sessions.label(a.sid, sub, 'Phone')).toBe(true);
    await bench.store.sessions.revoke(a.sid, CAUSE);
    await bench.signInWith(sub, { secretHash });
    const { sessions } = await bench.store.sessions.listOfUser(sub, { currentSid: null, after: null, limit: 10 });
    expect(sessions).toMatchObject([{ deviceLabel: 'Phone', isCurrent: false }]);
  });
}
