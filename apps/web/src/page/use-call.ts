import { useState } from 'react';
import { explainRequestFailure } from '../session/wording.ts';

/** A call of the user's, and how it went. */
export type Call = {
  readonly state: 'idle' | 'pending' | 'done' | 'failed';
  /** Why it failed; empty otherwise. */
  readonly failure: string;
  readonly start: () => void;
};

/** Makes `work` a call that can be started again and again. `explain` says why it failed, in a sentence. */
export function useCall(work: () => Promise<void>, explain: (error: unknown) => string = explainRequestFailure): Call {
  const [state, setState] = useState<Call['state']>('idle');
  const [failure, setFailure] = useState('');
  const start = (): void => {
    setState('pending');
    setFailure('');
    work().then(
      () => setState('done'),
      (error: unknown) => {
        setFailure(explain(error));
        setState('failed');
      },
    );
  };
  return { state, failure, start };
}
