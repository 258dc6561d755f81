import { describe, expect, test } from 'vitest';
import type { RevocationReading } from '../storage/revocation-reading.ts';
import { createRevocationFeed, type RevocationFeed, type RevocationNews } from './revocation-feed.ts';

const policy = {
  accessTokenLifetimeSeconds: 900,
  clockToleranceSeconds: 5,
};
const longestTransactionMs = 35_000;
const WINDOW_SECONDS = 965;

/**
 * A database in which sessions end, and nodes that read it.
 *
 * @param revocationPollMs 0: every request reads the database
 */
function setUp(revocationPollMs = 0): {
  readonly commit: (sid: string, revokedAtMs: number) => void;
  readonly node: (pageSize?: number) => RevocationFeed;
  readonly clock: { nowMs: number };
  readonly asked: (number | null)[];
  fail: boolean;
} {
  const clock = { nowMs: 1_800_000_000_000 };
  const committed: { sid: string; revokedAtMs: number }[] = [];
  const asked: (number | null)[] = [];
  const fixture = {
    clock,
    asked,
    fail: false,
    commit: (sid: string, revokedAtMs: number) => committed.push({ sid, revokedAtMs }),
    node: (pageSize?: number) =>
      createRevocationFeed({
        readRevoked: async (afterMicros, windowSeconds): Promise<RevocationReading> => {
          asked.push(afterMicros);
          if (fixture.fail) throw new Error('the database is away');
          const startedMicros = clock.nowMs * 1_000;
          const after = Math.max(afterMicros === null ? 0 : afterMicros / 1_000, clock.nowMs - windowSeconds * 1_000);
          const sessions = committed.filter(({ revokedAtMs }) => revokedAtMs > after);
          clock.nowMs += 1;
          return { startedMicros, seenMicros: startedMicros + 500, sessions };
        },
        policy: { ...policy, revocationPollMs },
        longestTransactionMs,
        ...(pageSize !== undefined && { pageSize }),
      }),
  };
  return fixture;
}

const sidsOf = (news: RevocationNews | null): readonly string[] => (news?.revoked ?? []).map(({ sid }) => sid);

test('gives all revocations that still matter first, then only new ones', async () => {
  const { commit, node, clock } = setUp();
  commit('old', clock.nowMs - WINDOW_SECONDS * 1_000 - 1);
  commit('a', clock.nowMs - 1_000);
  const feed = node();
  const first = await feed.read(null, 0);
  expect(first).toMatchObject({
    revoked: [{ sid: 'a', exp: Math.ceil((clock.nowMs - 1_001) / 1_000) + WINDOW_SECONDS }],
    isMore: false,
  });
  const second = await feed.read(first?.cursor ?? '', 0);
  expect(sidsOf(second)).toEqual([]);
  commit('b', clock.nowMs);
  const third = await feed.read(second?.cursor ?? '', 0);
  expect(sidsOf(third)).toEqual(['b']);
  expect(sidsOf(await feed.read(third?.cursor ?? '', 0))).toEqual([]);
});

test('a revocation that a slow transaction commits late is not missed', async () => {
  const { commit, node, clock } = setUp();
  const feed = node();
  const begunAtMs = clock.nowMs;
  clock.nowMs += longestTransactionMs - 1;
  const first = await feed.read(null, 0);
  commit('late', begunAtMs);
  expect(sidsOf(await feed.read(first?.cursor ?? '', 0))).toEqual(['late']);
});

test('a cursor works at any other node, with no revocation missed', async () => {
  const { commit, node, clock } = setUp();
  const [here, elsewhere] = [node(), node()];
  commit('a', clock.nowMs);
  await elsewhere.read(null, 0);
  const first = await here.read(null, 0);
  expect(sidsOf(first)).toEqual(['a']);
  commit('b', clock.nowMs - 5_000);
  const second = await elsewhere.read(first?.cursor ?? '', 0);
  // The entries of the last second may come again.
  expect(sidsOf(second)).toContain('b');
  commit('c', clock.nowMs);
  expect(sidsOf(await here.read(second?.cursor ?? '', 0))).toContain('c');
  // A node that has just started has an empty memory.
  expect(sidsOf(await node().read(second?.cursor ?? '', 0))).toContain('c');
});

test('many entries come in pages, also when the pages come from two nodes', async () => {
  const { commit, node, clock } = setUp();
  const all = Array.from({ length: 25 }, (_, index) => `s${index}`);
  for (const sid of all) commit(sid, clock.nowMs);
  const [here, elsewhere] = [node(10), node(10)];
  const walk = async (nodes: readonly RevocationFeed[]): Promise<ReadonlySet<string>> => {
    const seen = new Set<string>();
    let cursor: string | null = null;
    for (let page = 0; page < 20; page++) {
      const news: RevocationNews | null = (await nodes[page % nodes.length]?.read(cursor, 0)) ?? null;
      for (const sid of sidsOf(news)) seen.add(sid);
      cursor = news?.cursor ?? null;
      if (news?.isMore === false) break;
    }
    return seen;
  };
  expect(await walk([here])).toEqual(new Set(all));
  // A follower that changes nodes between pages begins again. A follower that stays gets all pages.
  expect(await walk([elsewhere, here, here, here, here])).toEqual(new Set(all));
});

test('waiting followers get a revocation as soon as a node reads it, and share one reading', async () => {
  const { commit, node, clock, asked } = setUp(20);
  const feed = node();
  const first = await feed.read(null, 0);
  const waiting = Array.from({ length: 20 }, () => feed.read(first?.cursor ?? '', 30_000));
  commit('a', clock.nowMs);
  for (const news of await Promise.all(waiting)) expect(sidsOf(news)).toEqual(['a']);
  expect(asked.length).toBeLessThan(10);
});

test('closing answers the waiting followers', async () => {
  const { node } = setUp();
  const feed = node();
  const first = await feed.read(null, 0);
  const waiting = feed.read(first?.cursor ?? '', 30_000);
  feed.close();
  expect(await waiting).toMatchObject({ revoked: [], isMore: false });
});

describe('a database that fails', () => {
  test('is an error for every follower, never an empty list', async () => {
    const fixture = setUp();
    const feed = fixture.node();
    const first = await feed.read(null, 0);
    const waiting = feed.read(first?.cursor ?? '', 30_000);
    fixture.fail = true;
    await expect(waiting).rejects.toThrow('away');
    await expect(feed.read(null, 0)).rejects.toThrow('away');
    fixture.fail = false;
    fixture.commit('a', fixture.clock.nowMs - 60_000);
    expect(sidsOf(await feed.read(null, 0))).toEqual(['a']);
  });

  test('and comes back with an earlier clock makes every follower start again', async () => {
    const { commit, node, clock } = setUp();
    const feed = node();
    const first = await feed.read(null, 0);
    clock.nowMs -= 10_000;
    commit('a', clock.nowMs);
    await expect(feed.read(first?.cursor ?? '', 0)).rejects.toMatchObject({ code: 'unavailable' });
    // The old cursor is ahead of this clock, so it does not say which entries its holder has.
    expect(sidsOf(await feed.read(first?.cursor ?? '', 0))).toEqual(['a']);
  });
});

describe('a database whose clock is less than a second behind after a failover', () => {
  test('loses no revocation for the holder of an older cursor', async () => {
    const fixture = setUp();
    const { commit, node, clock } = fixture;
    const feed = node();
    const first = await feed.read(null, 0);
    fixture.fail = true;
    await expect(feed.read(first?.cursor ?? '', 0)).rejects.toThrow('away');
    fixture.fail = false;
    clock.nowMs -= 900;
    commit('a', clock.nowMs);
    expect(sidsOf(await feed.read(first?.cursor ?? '', 30_000))).toEqual(['a']);
  });

  test('repeats are no news: a follower that changes nodes each time waits them out', async () => {
    const { commit, node, clock } = setUp(20);
    const nodes = [node(), node()];
    commit('a', clock.nowMs);
    await nodes[1]?.read(null, 0);
    let cursor = (await nodes[0]?.read(null, 0))?.cursor ?? '';
    // The waiting follower needs a clock that goes on.
    const ticking = setInterval(() => (clock.nowMs += 20), 20);
    let answers = 0;
    for (const startedMs = performance.now(); performance.now() - startedMs < 2_500; answers++) {
      const news = await nodes[(answers + 1) % 2]?.read(cursor, 500);
      cursor = news?.cursor ?? '';
    }
    clearInterval(ticking);
    expect(answers).toBeLessThanOrEqual(8);
    expect(sidsOf((await nodes[0]?.read(cursor, 0)) ?? null)).toEqual([]);
  });
});

test('removes entries whose access tokens have expired', async () => {
  const { commit, node, clock } = setUp();
  const feed = node();
  commit('a', clock.nowMs);
  const first = await feed.read(null, 0);
  clock.nowMs += WINDOW_SECONDS * 1_000 + 1_000;
  commit('b', clock.nowMs);
  const news = await feed.read(null, 0);
  expect(sidsOf(news)).toEqual(['b']);
  expect(sidsOf(await feed.read(first?.cursor ?? '', 0))).toEqual(['b']);
});

test('a malformed cursor is refused', async () => {
  const feed = setUp().node();
  for (const cursor of ['', 'x', '1.2.3', `1.${'A'.repeat(8)}.-1`, `${'9'.repeat(17)}.${'A'.repeat(8)}.1`]) {
    expect(await feed.read(cursor, 0)).toBeNull();
  }
});
