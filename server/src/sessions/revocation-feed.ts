import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { HoldfastError } from '../kernel/errors.ts';
import type { Policy } from '../kernel/policy.ts';
import type { ReadRevoked, RevocationReading } from '../storage/revocation-reading.ts';

/** A session that has ended while access tokens of it may live. */
export type Revocation = {
  readonly sid: string;
  /** From then on no access token of the session counts anyway, in seconds since the epoch. */
  readonly exp: number;
};

export type RevocationNews = {
  readonly revoked: readonly Revocation[];
  /** What to ask for next; any node understands it. */
  readonly cursor: string;
  /** Whether there is more at once. */
  readonly isMore: boolean;
};

/** Ended sessions, for resource servers that follow them. */
export type RevocationFeed = {
  /**
   * What has ended since a cursor was given out, waiting for news if there are none; without a cursor, everything that matters.
   * An entry may come twice.
   *
   * @returns null when the cursor is malformed
   * @throws HoldfastError `unavailable`; whoever asked should then start again without a cursor
   */
  readonly read: (cursor: string | null, waitMs: number) => Promise<RevocationNews | null>;
  /** Answers everybody who waits. Idempotent. */
  readonly close: () => void;
};

export type RevocationFeedParts = {
  readonly readRevoked: ReadRevoked;
  readonly policy: Pick<Policy, 'accessTokenLifetimeSeconds' | 'clockToleranceSeconds' | 'revocationPollMs'>;
  /** So much later than its `now()` a transaction that ends sessions may commit, in milliseconds: its rows appear only then. */
  readonly longestTransactionMs: number;
  /** Entries of one answer. Default: 10,000, some 600 kB. */
  readonly pageSize?: number;
};

type Entry = {
  readonly seenMicros: number;
} & Revocation;

type Cursor = {
  /** Everything committed before this time of the database's clock was given. */
  readonly knownMicros: number;
  /** Which memory, and how far in it. */
  readonly memory: string;
  readonly position: number;
};

const PAGE_SIZE = 10_000;
/**
 * A token may be signed a moment after its session has ended, by a node that had rotated it before: an entry stays so much
 * longer than the rules of expiry ask for. It covers clocks that differ as well.
 */
const MARGIN_SECONDS = 60;
/** A database's clock that steps back by more than this is another host's, after a failover. */
const CLOCK_STEP_MICROS = 1_000_000;

/**
 * The feed is a view of the sessions themselves, which know when they ended: nothing else is written, so nothing can be
 * forgotten. Each node looks now and then while somebody follows, and remembers when it saw what.
 *
 * What makes a cursor good on every node: an entry that one node did not see in a look that began at time c was committed
 * after c, so any other node sees it in a look that ends after c.
 */
export function createRevocationFeed(parts: RevocationFeedParts): RevocationFeed {
  const { readRevoked, policy, pageSize = PAGE_SIZE } = parts;
  const windowSeconds = policy.accessTokenLifetimeSeconds + policy.clockToleranceSeconds + MARGIN_SECONDS;
  const overlapMicros = parts.longestTransactionMs * 1_000;
  const closing = new AbortController();
  // As many as wait.
  setMaxListeners(0, closing.signal);
  let memory = createMemory();
  let look: { readonly endsAtMs: number; readonly done: Promise<void> } | null = null;

  const lookNow = async (): Promise<void> => {
    const known = memory;
    const after = known.knownMicros === null ? null : known.knownMicros - overlapMicros;
    try {
      const reading = await readRevoked(after, windowSeconds);
      if (known.knownMicros !== null && reading.startedMicros < known.knownMicros - CLOCK_STEP_MICROS) {
        throw new HoldfastError('unavailable', "the database's clock has stepped back");
      }
      remember(known, reading, windowSeconds);
    } catch (error) {
      // What was seen may belong to a primary that is gone: nobody's cursor counts any more.
      memory = createMemory();
      throw error;
    }
  };
  /** Many followers share one look. */
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
      const deadlineMs = performance.now() + waitMs;
      for (;;) {
        await keepCurrent();
        const news = collect(memory, cursor, pageSize);
        if (news.revoked.length > 0 || closing.signal.aborted || performance.now() >= deadlineMs) return news;
        await pause(policy.revocationPollMs, closing.signal);
      }
    },
  };
}

/** What a node has seen, in the order in which it saw it. */
type Memory = {
  readonly name: string;
  readonly entries: Entry[];
  readonly sids: Set<string>;
  /** How many entries were here before the first of `entries`. */
  forgotten: number;
  /** When the last look began; null before the first. */
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

function collect(memory: Memory, cursor: Cursor, pageSize: number): RevocationNews {
  const { name, entries, forgotten } = memory;
  const knownMicros = memory.knownMicros ?? 0;
  // From a clock that was ahead of ours: what it had seen, ours cannot tell.
  const since = cursor.knownMicros > knownMicros + CLOCK_STEP_MICROS ? 0 : cursor.knownMicros;
  const isHere = cursor.memory === name;
  const first = isHere
    ? Math.max(cursor.position - forgotten, 0)
    : entries.findIndex(({ seenMicros }) => seenMicros > since);
  const revoked = first < 0 ? [] : entries.slice(first, first + pageSize);
  const position = first < 0 ? forgotten + entries.length : forgotten + first + revoked.length;
  const isMore = position < forgotten + entries.length;
  return {
    revoked: revoked.map(({ sid, exp }) => ({ sid, exp })),
    // In the middle of the pages another node has to start where this one did.
    cursor: formatCursor({ knownMicros: isMore ? since : knownMicros, memory: name, position }),
    isMore,
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

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
  });
}
