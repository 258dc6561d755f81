import { useState } from 'react';
import { api, auth } from '../session/session.ts';

/** How many requests are fired at once. */
export const burstSize = 20;

/** How one request of the burst is. */
export type CellState = 'idle' | 'sent' | 'parked' | 'again' | 'done' | 'failed';

/** A burst that is over. `refreshes`: how many this app sent meanwhile. */
export type BurstResult = { readonly done: number; readonly durationMs: number; readonly refreshes: number };

/** Requests fired at once, as they stand. */
export type Burst = {
  readonly cells: readonly CellState[];
  readonly isRunning: boolean;
  readonly result: BurstResult | null;
  readonly fire: () => void;
};

const allCells = (state: CellState): readonly CellState[] => Array.from({ length: burstSize }, () => state);

/** Fires requests at once and follows them. */
export function useBurst(): Burst {
  const [cells, setCells] = useState(() => allCells('idle'));
  const [isRunning, setRunning] = useState(false);
  const [result, setResult] = useState<BurstResult | null>(null);
  const mark = (index: number, state: CellState): void =>
    setCells((all) => all.map((cell, at) => (at === index ? state : cell)));

  const send = async (index: number): Promise<boolean> => {
    try {
      await api.get('notes').json();
      mark(index, 'done');
      return true;
    } catch {
      mark(index, 'failed');
      return false;
    }
  };

  const run = async (): Promise<void> => {
    setRunning(true);
    setResult(null);
    setCells(allCells('sent'));
    const startedAtMs = performance.now();
    let refreshes = 0;
    const turn = (from: CellState, to: CellState): void =>
      setCells((all) => {
        const index = all.indexOf(from);
        return all.map((cell, at) => (at === index ? to : cell));
      });
    const stopWatching = auth.observe(({ type }) => {
      if (type === 'refresh.sent') refreshes++;
      // An observation does not say whose request it is; any one that is under way stands for it.
      if (type === 'request.parked') turn('sent', 'parked');
      if (type === 'request.released') turn('parked', 'sent');
      if (type === 'request.resent') turn('sent', 'again');
    });
    const outcomes = await Promise.all(allCells('sent').map((_, index) => send(index)));
    stopWatching();
    setResult({ done: outcomes.filter(Boolean).length, durationMs: performance.now() - startedAtMs, refreshes });
    setRunning(false);
  };

  return { cells, isRunning, result, fire: () => void (isRunning || run()) };
}
