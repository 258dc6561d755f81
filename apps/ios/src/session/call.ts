import { useEffect, useState } from 'react';
import { explainRequestFailure } from './wording.ts';

/** A call of the user's, and how it went. */
export type Call = {
  readonly state: 'idle' | 'pending' | 'done' | 'failed';
  /** Why it failed; empty otherwise. */
  readonly failure: string;
  /** Starts it, unless it is under way. */
  readonly start: () => void;
};

/** Makes `work` a call that can be started again and again. `explain` says why it failed, in a sentence. */
export function useCall(work: () => Promise<void>, explain: (error: unknown) => string = explainRequestFailure): Call {
  const [call, setCall] = useState<Omit<Call, 'start'>>({ state: 'idle', failure: '' });
  const start = (): void => {
    if (call.state === 'pending') return;
    setCall({ state: 'pending', failure: '' });
    work().then(
      () => setCall({ state: 'done', failure: '' }),
      (error: unknown) => setCall({ state: 'failed', failure: explain(error) }),
    );
  };
  return { ...call, start };
}

/** Something of the server's, as far as it is known. */
export type Loaded<T> = {
  /** `null` while it is loaded for the first time. */
  readonly value: T | null;
  /** Why the last attempt to load it failed. */
  readonly failure: string | null;
  /** Asks again; what is there stays until the answer is. */
  readonly reload: () => void;
  /** Changes what is there, ahead of the server's next answer. */
  readonly change: (next: (value: T) => T) => void;
};

/**
 * Loads something, and again whenever `key` changes; `null`: not now, what is there stays. `load` is the same function at every
 * render.
 */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>, key: string | null): Loaded<T> {
  const [value, setValue] = useState<T | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    if (key === null) return;
    const controller = new AbortController();
    const ask = async (): Promise<void> => {
      try {
        const answer = await load(controller.signal);
        if (controller.signal.aborted) return;
        setValue(answer);
        setFailure(null);
      } catch (error) {
        if (!controller.signal.aborted) setFailure(explainRequestFailure(error));
      }
    };
    void ask();
    return () => controller.abort();
    // oxlint-disable-next-line react/exhaustive-effect-dependencies -- the last two say when to ask again
  }, [load, key, attempt]);
  return {
    value,
    failure,
    reload: () => setAttempt((count) => count + 1),
    change: (next) => setValue((before) => (before === null ? before : next(before))),
  };
}
