import { useSession } from 'holdfast/react';
import type { ReactElement } from 'react';
import { useCall } from '../page/use-call.ts';
import { auth } from '../session/session.ts';
import { startFault } from './demo-api.ts';
import { CallRow, FaultRow } from './fault.tsx';
import { setCutOff, useCutOff } from './network.ts';
import { useTimedFault, type TimedFault } from './use-timed-fault.ts';

const outageSeconds = 10;
const slowSeconds = 30;

/** No network, until the user says otherwise. */
export function Offline(): ReactElement {
  const isCutOff = useCutOff();
  return (
    <FaultRow
      title="Go offline"
      explanation="This page sends nothing any more. Write a note meanwhile: it waits, and goes through when you are back."
      buttonLabel={isCutOff ? 'Come back' : 'Go offline'}
      isBusy={false}
      onRun={() => setCutOff(!isCutOff)}
      result={
        isCutOff && (
          <>
            <strong>Offline.</strong> The session stays, whatever happens to its access token.
          </>
        )
      }
    />
  );
}

/** A server that is in trouble. */
export function Outage(): ReactElement {
  const fault = useTimedFault('outage', outageSeconds);
  return (
    <FaultRow
      title={`Server down for ${outageSeconds} seconds`}
      explanation="Everything is answered 503. Requests are repeated with patience, a refresh backs off, and nobody is signed out."
      buttonLabel={fault.secondsLeft > 0 ? `Back in ${fault.secondsLeft} s` : 'Take it down'}
      isBusy={fault.isPending || fault.secondsLeft > 0}
      onRun={fault.start}
      result={describeTimed(fault, 'Down.', 'Press “Renew now”, or add a note.')}
    />
  );
}

/** Answers that take their time. */
export function SlowNetwork(): ReactElement {
  const fault = useTimedFault('slow', slowSeconds);
  return (
    <FaultRow
      title="Slow network"
      explanation={`Each answer takes 2.5 seconds longer, for ${slowSeconds} seconds. However many wait, there is one refresh.`}
      buttonLabel={fault.secondsLeft > 0 ? `Fast in ${fault.secondsLeft} s` : 'Slow it down'}
      isBusy={fault.isPending || fault.secondsLeft > 0}
      onRun={fault.start}
      result={describeTimed(fault, 'Slow.', 'Let the token expire, and fire the requests.')}
    />
  );
}

function describeTimed({ secondsLeft, failure }: TimedFault, now: string, advice: string): ReactElement | string {
  if (secondsLeft === 0) return failure;
  return (
    <>
      <strong>{now}</strong> {advice}
    </>
  );
}

/** The worst moment for a connection to break: the server has rotated the refresh token, and the browser never hears of it. */
export function LostAnswer(): ReactElement {
  const isOffline = useSession((session) => session.status === 'active' && session.freshness === 'offline');
  const call = useCall(async () => {
    await startFault({ kind: 'lost-answer' });
    auth.extend();
  });
  return (
    <CallRow
      title="Lose the next answer"
      explanation="Renews the session, and the answer is lost on its way. The old refresh token is sent again, and the server accepts it."
      buttonLabel="Lose it"
      call={call}
      result={
        call.state === 'done' && isOffline ? (
          <>
            <strong>Lost.</strong> The server has rotated, this browser has the old token. It is tried again.
          </>
        ) : call.state === 'done' ? (
          <>
            <strong>Sent.</strong> Look at the timeline: a refresh that failed, and the next one that went well.
          </>
        ) : null
      }
    />
  );
}
