import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { HoldfastServerError } from '../kernel/errors.ts';
import { pause } from '../kernel/pause.ts';
import type { Policy } from '../kernel/policy.ts';
import type { ReadRevoked, RevocationReading } from '../storage/revocation-reading.ts';

/** A session that has ended while its access tokens may still be valid. */
export type Revocation = {
  readonly sid: string;
  /** Time at which all access tokens of the session have expired, in seconds since the epoch. */
  readonly exp: number;
};

export type RevocationNews = {
  readonly revoked: readonly Revocation[];
  /** Cursor for the next request; any node accepts it. */
  readonly cursor: string;
  /** True if more entries are ready now. */
  readonly isMore: boolean;
};

/** Ended sessions, for resource servers that follow them. */
export type RevocationFeed = {
  /**
   * Reads the sessions that have ended since a cursor was given out, and waits up to `waitMs` for one. Without a
   * cursor, reads every session whose access tokens may still be valid. An entry may come twice.
   *
   * @returns null if the cursor is malformed
   * @throws HoldfastServerError `unavailable`; the caller should then start again without a cursor
   */
  readonly read: (cursor: string | null, waitMs: number) => Promise<RevocationNews | null>;
  /** Answers every waiting request. Idempotent. */
  readonly close: () => void;
};

export type RevocationFeedParts = {
  readonly readRevoked: ReadRevoked;
  readonly policy: Pick<Policy, 'accessTokenLifetimeSeconds' | 'clockToleranceSeconds' | 'revocationPollMs'>;
  /**
   * Longest time from the `now()` of a transaction that ends sessions to its commit, when its rows appear. In
   * milliseconds.
   */
  readonly longestTransactionMs: number;
  /** Most entries of one answer. Default: 10,000, some 600 kB. */
  readonly pageSize?: number;
};

type Entry = {
  readonly seenMicros: number;
} & Revocation;

type Cursor = {
  /** The holder has every entry committed before this time of the database's clock. */
  readonly knownMicros: number;
  /** Name of the node's memory, and the position in it. */
  readonly memory: string;
  readonly position: number;
};

const PAGE_SIZE = 10_000;
/**
 * How much longer an entry stays than its access tokens' lifetime requires. A node that rotated a session just before
 * its end may sign an access token just after it. The margin also covers differences between clocks.
 */
const MARGIN_SECONDS = 60;
/**
 * A larger step back of the database's clock means that another host is the primary after a failover. A smaller one is
 * not noticed, so a node reads this much before the time of a cursor of another memory.
 */
const CLOCK_STEP_MS = 1_000;
const CLOCK_STEP_MICROS = CLOCK_STEP_MS * 1_000;

/**
 * Creates the feed. It is a view of the session rows, which have the time of their end. It needs no other write, so it
 * loses no entry. While a resource server follows, each node reads the rows repeatedly and remembers when it first saw
 * each entry.
 *
 * A cursor is valid on every node for this reason: if one node did not see an entry in a reading that began at time c,
 * the entry was committed after c. So every other node first sees it in a reading that ends after c, by a clock that is
 * at most `CLOCK_STEP_MS` behind after a failover.
 */
export function createRevocationFeed(parts: RevocationFeedParts): RevocationFeed {
  const { readRevoked, policy, pageSize = PAGE_SIZE } = parts;
  const windowSeconds = policy.accessTokenLifetimeSeconds + policy.clockToleranceSeconds + MARGIN_SECONDS;
  const overlapMicros = parts.longestTransactionMs * 1_000;
  const closing = new AbortController();
  // Every waiting request adds a listener, so allow any number.
  setMaxListeners(0, closing.signal);
  let memory = createMemory();
  let look: { readonly endsAtMs: number; readonly done: Promise<void> } | null = null;

  const lookNow = async (): Promise<void> => {
    const known = memory;
    const after = known.knownMicros === null ? null : known.knownMicros - overlapMicros;
    try {
      const reading = await readRevoked(after, windowSeconds);
      if (known.knownMicros !== null && reading.startedMicros < known.knownMicros - CLOCK_STEP_MICROS) {
        throw new HoldfastServerError('unavailable', "the database's clock has stepped back");
      }
      remember(known, reading, windowSeconds);
    } catch (error) {
      // The entries may come from a primary that has failed over. A new memory invalidates every position in the old
      // one.
      memory = createMemory();
      throw error;
    }
  };
  /** Reads at most once per `revocationPollMs`; all followers share the reading. */
  const keepCurrent = (): Promise<void> => {
    const nowMs = performance.now();
    if (look === null || nowMs >= look.endsAtMs) {
      look = { endsAtMs: nowMs + policy.revocationPollMs, done: lookNow() };
    }
    return look.done;
  };
  return {
    close: () => closing.abort(),
    read: async (text, waitMs) => {
      const cursor = text === null ? START : parseCursor(text);
      if (cursor === null) return null;
      const startedMs = performance.now();
      for (;;) {
        await keepCurrent();
        const { news, hasNews } = collect(memory, cursor, pageSize);
        // Hold likely repeats back for the overlap: the next cursor is then past them, whichever node it goes to.
        const longestMs = news.revoked.length > 0 ? Math.min(waitMs, CLOCK_STEP_MS) : waitMs;
        if (hasNews || closing.signal.aborted || performance.now() >= startedMs + longestMs) return news;
        await pause(policy.revocationPollMs, closing.signal);
      }
    },
  };
}

/** Entries that a node has seen, in the order in which it saw them. */
type Memory = {
  readonly name: string;
  readonly entries: Entry[];
  readonly sids: Set<string>;
  /** Number of removed entries before the first of `entries`. */
  forgotten: number;
  /** Start of the last reading; null before the first one. */
  knownMicros: number | null;
};

function createMemory(): Memory {
  return {
    name: randomBytes(6).toString('base64url'),
    entries: [],
    sids: new Set(),
    forgotten: 0,
    knownMicros: null,
  };
}

function remember(
  memory: Memory,
  { startedMicros, seenMicros, sessions }: RevocationReading,
  windowSeconds: number,
): void {
  const { entries, sids } = memory;
  for (const { sid, revokedAtMs } of sessions) {
    if (sids.has(sid)) continue;
    sids.add(sid);
    entries.push({ sid, exp: Math.ceil(revokedAtMs / 1_000) + windowSeconds, seenMicros });
  }
  const expired = entries.findIndex(({ exp }) => exp > startedMicros / 1_000_000);
  for (const { sid } of entries.splice(0, expired < 0 ? entries.length : expired)) {
    sids.delete(sid);
    memory.forgotten++;
  }
  memory.knownMicros = startedMicros;
}

type Collected = {
  readonly news: RevocationNews;
  /** True if an entry is certainly new to the cursor's holder. The others are in the overlap, and most are repeats. */
  readonly hasNews: boolean;
};

function collect(memory: Memory, cursor: Cursor, pageSize: number): Collected {
  const { name, entries, forgotten } = memory;
  const knownMicros = memory.knownMicros ?? 0;
  // The cursor's clock was ahead of this one, so its time says nothing about our entries: start from the first.
  const since = cursor.knownMicros > knownMicros + CLOCK_STEP_MICROS ? 0 : cursor.knownMicros;
  const isHere = cursor.memory === name;
  const first = isHere
    ? Math.max(cursor.position - forgotten, 0)
    : entries.findIndex(({ seenMicros }) => seenMicros > since - CLOCK_STEP_MICROS);
  const revoked = first < 0 ? [] : entries.slice(first, first + pageSize);
  const position = first < 0 ? forgotten + entries.length : forgotten + first + revoked.length;
  const isMore = position < forgotten + entries.length;
  return {
    news: {
      revoked: revoked.map(({ sid, exp }) => ({ sid, exp })),
      // Before the last page keep the start time, so that another node starts where this one did.
      cursor: formatCursor({ knownMicros: isMore ? since : knownMicros, memory: name, position }),
      isMore,
    },
    hasNews: isMore || revoked.some(({ seenMicros }) => isHere || seenMicros > since),
  };
}

const START: Cursor = { knownMicros: 0, memory: '', position: 0 };
const CURSOR = /^(\d{1,16})\.([A-Za-z0-9_-]{8})\.(\d{1,15})$/;

function formatCursor({ knownMicros, memory, position }: Cursor): string {
  return `${knownMicros}.${memory}.${position}`;
}

function parseCursor(text: string): Cursor | null {
  const [, knownMicros, memory, position] = CURSOR.exec(text) ?? [];
  if (knownMicros === undefined || memory === undefined || position === undefined) return null;
  return { knownMicros: Number(knownMicros), memory, position: Number(position) };
}
