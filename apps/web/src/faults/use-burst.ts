import { useEffect, useRef, useState } from 'react';
import { api, auth } from '../session/session.ts';
import { countTokenRequests, type ServerCount } from './demo-api.ts';

/** How many requests are fired at once. */
export const burstSize = 20;

/** How one request of the burst is. */
export type CellState = 'idle' | 'sent' | 'parked' | 'again' | 'done' | 'failed';

/** A burst that is over. */
export type BurstResult = {
  readonly done: number;
  readonly durationMs: number;
  /** Refreshes that this page sent meanwhile. */
  readonly sentRefreshes: number;
  /** Token requests that the server counted meanwhile; `null` if that is not known. */
  readonly countedRefreshes: number | null;
  /** The session ended meanwhile, and another one took over. */
  readonly isNewSession: boolean;
};

/** Requests fired at once, as they stand. */
export type Burst = {
  readonly cells: readonly CellState[];
  readonly isRunning: boolean;
  readonly result: BurstResult | null;
  readonly fire: () => void;
};

const allCells = (state: CellState): readonly CellState[] => Array.from({ length: burstSize }, () => state);

/** A count, and the access token that was current then: a newer token means that the count is no longer right. */
type KnownCount = ServerCount & { readonly tokenNumber: number };

/**
 * The server's count before the burst. It is asked for whenever a new access token has come, because asking with an old
 * one would cause the very refresh that the burst is to show.
 */
function useKnownCount(sid: string | null, tokenNumber: number): { readonly current: KnownCount | null } {
  const known = useRef<KnownCount | null>(null);
  useEffect(() => {
    let isCurrent = true;
    const ask = async (): Promise<void> => {
      const count = await countTokenRequests(sid).catch(() => null);
      if (isCurrent && count !== null) known.current = { ...count, tokenNumber };
    };
    if (sid !== null) void ask();
    return () => {
      isCurrent = false;
    };
  }, [sid, tokenNumber]);
  return known;
}

function currentSid(): string | null {
  const session = auth.getSnapshot();
  return session.status === 'active' ? session.sid : null;
}

async function countSince(before: ServerCount | null): Promise<Pick<BurstResult, 'countedRefreshes' | 'isNewSession'>> {
  const sid = currentSid();
  const after = await countTokenRequests(sid).catch(() => null);
  // Signing in again starts another session, which the server counts from nothing.
  const isNewSession = before !== null && before.sid !== sid;
  const isKnown = before !== null && after !== null && !isNewSession;
  return { isNewSession, countedRefreshes: isKnown ? after.tokenRequests - before.tokenRequests : null };
}

/** Fires requests at once and follows them. */
export function useBurst(sid: string | null, tokenNumber: number): Burst {
  const [cells, setCells] = useState(() => allCells('idle'));
  const [isRunning, setRunning] = useState(false);
  const [result, setResult] = useState<BurstResult | null>(null);
  const known = useKnownCount(sid, tokenNumber);

  const run = async (): Promise<void> => {
    setRunning(true);
    setResult(null);
    setCells(allCells('sent'));
    const startedAtMs = performance.now();
    const before = known.current?.tokenNumber === tokenNumber ? known.current : null;
    let sentRefreshes = 0;
    const setCell = (index: number, state: CellState): void =>
      setCells((all) => all.map((cell, at) => (at === index ? state : cell)));
    const turn = (from: CellState, to: CellState): void =>
      setCells((all) => all.with(Math.max(0, all.indexOf(from)), all.includes(from) ? to : (all[0] ?? to)));
    const stopWatching = auth.observe(({ type }) => {
      if (type === 'refresh.sent') sentRefreshes += 1;
      // An observation does not say whose request it is; any one that is under way stands for it.
      if (type === 'request.parked') turn('sent', 'parked');
      if (type === 'request.released') turn('parked', 'sent');
      if (type === 'request.resent') turn('sent', 'again');
    });
    const outcomes = await Promise.all(
      allCells('sent').map(async (_, index) => {
        try {
          await api.get('notes').json();
          setCell(index, 'done');
          return true;
        } catch {
          setCell(index, 'failed');
          return false;
        }
      }),
    );
    const durationMs = performance.now() - startedAtMs;
    stopWatching();
    const counted = await countSince(before);
    setResult({ done: outcomes.filter(Boolean).length, durationMs, sentRefreshes, ...counted });
    setRunning(false);
  };

  return {
    cells,
    isRunning,
    result,
    fire: () => {
      if (!isRunning) void run();
    },
  };
}
