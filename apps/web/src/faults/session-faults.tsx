import type { SignedInSession } from 'holdfast/react';
import { useState, type ReactElement } from 'react';
import { useCall } from '../page/use-call.ts';
import { auth } from '../session/session.ts';
import { endSessionSoon, expireAccessToken, revokeSession, stealSession } from './demo-api.ts';
import { CallRow } from './fault.tsx';

/** Changes when a fault's result is no longer about the session's present: a new token, or a new session. */
function epochOf(session: SignedInSession): string {
  return session.status === 'active' ? `${session.sid} ${session.tokenNumber}` : 'waiting';
}

/** An access token that the server refuses. */
export function Expiry({ session }: { readonly session: SignedInSession }): ReactElement {
  const [epoch, setEpoch] = useState('');
  const call = useCall(async () => {
    await expireAccessToken();
    setEpoch(epochOf(readSession(session)));
  });
  const isOver = call.state === 'done' && epoch !== epochOf(session);
  return (
    <CallRow
      title="Let the access token expire"
      explanation="The server refuses it from now on. Your next request is answered 401; Holdfast refreshes once and sends it again."
      buttonLabel="Let it expire"
      call={call}
      result={
        call.state === 'done' && !isOver ? (
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

/** A session that is about to end because it was not used. */
export function EndsSoon({ session }: { readonly session: SignedInSession }): ReactElement {
  const call = useCall(endSessionSoon);
  return (
    <CallRow
      title="Session ends soon"
      explanation="As after two weeks without you: the server ends this session in 90 seconds. The page warns you, and “Extend” keeps the session."
      buttonLabel="End it soon"
      call={call}
      result={
        call.state === 'done' && session.status === 'active' && session.isExpiring ? (
          <>
            <strong>It ends soon.</strong> Press “Extend” at the top of the page, or wait and sign in again.
          </>
        ) : null
      }
    />
  );
}

/** A copy of the session, in a thief's hands. */
export function Theft(): ReactElement {
  const [page, setPage] = useState<string | null>(null);
  const call = useCall(async () => {
    const url = `/thief?copy=${await stealSession()}`;
    setPage(url);
    window.open(url, '_blank', 'noopener');
  });
  return (
    <CallRow
      title="Steal my session"
      explanation="Opens what a thief sees. A script finds nothing to take along; a copy of the cookie works for a turn or two, then the session ends and you sign in once."
      buttonLabel="Steal it"
      tone="bad"
      call={call}
      result={
        page === null ? null : (
          <>
            <strong>Copied.</strong> Use the copy{' '}
            <a href={page} target="_blank" rel="noopener">
              over there
            </a>
            , then press “Renew now” here.
          </>
        )
      }
    />
  );
}

/** A session that the server has ended. */
export function Revocation({ session }: { readonly session: SignedInSession }): ReactElement {
  const [revokedSid, setRevokedSid] = useState<string | null>(null);
  const call = useCall(async () => {
    await revokeSession();
    const now = readSession(session);
    setRevokedSid(now.status === 'active' ? now.sid : null);
  });
  const isRevoked = session.status === 'active' && session.sid === revokedSid && revokedSid !== null;
  return (
    <CallRow
      title="Revoke on the server"
      explanation="Ends this session for good. The access token lives on to its expiry; the next refresh is rejected, and you are asked to sign in again."
      buttonLabel="Revoke"
      tone="bad"
      call={call}
      result={
        isRevoked ? (
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

/** The session as it is after a call, which may have renewed it; the one before if no user is signed in any more. */
function readSession(before: SignedInSession): SignedInSession {
  const now = auth.getSnapshot();
  return now.status === 'active' || now.status === 'reauthentication-required' ? now : before;
}
