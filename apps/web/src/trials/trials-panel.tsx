import type { SignedInSession } from 'holdfast/react';
import { useState, type ReactElement } from 'react';
import { Panel } from '../design/panel.tsx';
import { auth } from '../session/session.ts';
import { BurstTrial } from './burst-trial.tsx';
import { expireAccessToken, revokeSession } from './demo-api.ts';
import { Trial } from './trial.tsx';
import './trials.css';
import { useCall } from '../page/use-call.ts';

/** Things that go wrong in every session, at the press of a button. */
export function TrialsPanel({ session }: { readonly session: SignedInSession }): ReactElement {
  return (
    <Panel title="Try to break it" lead="Each of these is real: the server is told, and the page is not.">
      <ExpiryTrial session={session} />
      <BurstTrial session={session} />
      <RevocationTrial session={session} />
    </Panel>
  );
}

/** Changes when a trial's result is no longer about the session's present: a new token, or a new session. */
function epochOf(session: SignedInSession): string {
  return session.status === 'active' ? `${session.sid} ${session.generation}` : 'waiting';
}

function ExpiryTrial({ session }: { readonly session: SignedInSession }): ReactElement {
  const [epoch, setEpoch] = useState('');
  const call = useCall(async () => {
    await expireAccessToken();
    setEpoch(epochOf(readSession(session)));
  });
  const isOver = call.state === 'done' && epoch !== epochOf(session);
  return (
    <Trial
      title="Let the access token expire"
      explanation="The server refuses it from now on. Your next request is answered 401; Holdfast refreshes once and sends it again."
      buttonLabel="Let it expire"
      isBusy={call.state === 'pending'}
      onRun={call.start}
      result={
        call.state === 'failed' ? (
          call.failure
        ) : call.state === 'done' && !isOver ? (
          <>
            <strong>Done.</strong> The page does not know yet. Send anything: add a note, or fire the requests below.
          </>
        ) : isOver ? (
          <>
            <strong>Renewed.</strong> A new access token has taken its place.
          </>
        ) : null
      }
    />
  );
}

function RevocationTrial({ session }: { readonly session: SignedInSession }): ReactElement {
  const [revokedSid, setRevokedSid] = useState<string | null>(null);
  const call = useCall(async () => {
    await revokeSession();
    const now = readSession(session);
    setRevokedSid(now.status === 'active' ? now.sid : null);
  });
  const isRevoked = session.status === 'active' && session.sid === revokedSid && revokedSid !== null;
  return (
    <Trial
      title="Revoke on the server"
      explanation="Ends this session for good. The access token lives on to its expiry; the next refresh is rejected, and you are asked to sign in again."
      buttonLabel="Revoke"
      tone="bad"
      isBusy={call.state === 'pending'}
      onRun={call.start}
      result={
        call.state === 'failed' ? (
          call.failure
        ) : isRevoked ? (
          <>
            <strong>Revoked.</strong> Nothing has changed here yet.{' '}
            <button type="button" className="link-button" onClick={() => auth.extend()}>
              Refresh now
            </button>
          </>
        ) : null
      }
    />
  );
}

/** The session as it is after a call, which may have renewed it; the one before if nobody is signed in any more. */
function readSession(before: SignedInSession): SignedInSession {
  const now = auth.getSnapshot();
  return now.status === 'active' || now.status === 'reauth-required' ? now : before;
}
