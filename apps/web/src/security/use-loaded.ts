import { useEffect, useState } from 'react';
import { explainRequestFailure } from '../session/wording.ts';

/** Something of the server's, as far as it is known. */
export type Loaded<T> = {
  /** `null` while it is loaded for the first time. */
  readonly value: T | null;
  /** Why the last attempt to load it failed. */
  readonly failure: string | null;
  /** Asks again; what is there stays until the answer is. */
  readonly reload: () => void;
};

/**
 * Loads something, and again whenever `key` changes; `null`: not now, what is there stays. `load` is the same function at
 * every render.
 */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>, key: string | null): Loaded<T> {
  const [value, setValue] = useState<T | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    if (key === null) return;
    const controller = new AbortController();
    const { signal } = controller;
    const ask = async (): Promise<void> => {
      try {
        const answer = await load(signal);
        if (signal.aborted) return;
        setValue(answer);
        setFailure(null);
      } catch (error) {
        if (!signal.aborted) setFailure(explainRequestFailure(error));
      }
    };
    void ask();
    return () => controller.abort();
    // oxlint-disable-next-line react/exhaustive-effect-dependencies -- the last two say when to ask again
  }, [load, key, attempt]);
  return { value, failure, reload: () => setAttempt((count) => count + 1) };
}
