import { useState } from 'react';
import { useCall } from '../page/use-call.ts';
import { useNowMs } from '../session/clock.ts';
import { startFault } from './demo-api.ts';

/** A fault that goes by itself. */
export type TimedFault = {
  /** 0: it is not on. */
  readonly secondsLeft: number;
  readonly isPending: boolean;
  readonly failure: string;
  readonly start: () => void;
};

/** Makes the server misbehave for this session, for some seconds. */
export function useTimedFault(kind: 'outage' | 'slow', seconds: number): TimedFault {
  const nowMs = useNowMs();
  const [endsAtMs, setEndsAtMs] = useState(0);
  const call = useCall(async () => {
    await startFault({ kind, seconds });
    setEndsAtMs(Date.now() + seconds * 1_000);
  });
  return {
    secondsLeft: Math.max(0, Math.ceil((endsAtMs - nowMs) / 1_000)),
    isPending: call.state === 'pending',
    failure: call.failure,
    start: call.start,
  };
}
