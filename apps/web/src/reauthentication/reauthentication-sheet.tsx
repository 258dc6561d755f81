import { useEffect, useId, useState, type ReactElement } from 'react';
import { isPasskeySupported } from 'holdfast/web';
import { knowsPasskey } from '../session/known-passkey.ts';
import { auth, chainOf, type SignedInSnapshot } from '../session/session.ts';
import { explainReauthentication } from '../session/wording.ts';
import { FailureNotice } from '../sign-in/failure-notice.tsx';
import { PasskeyButton } from '../sign-in/passkey-button.tsx';
import { usePasskeySignIn } from '../sign-in/use-passkey-sign-in.ts';
import { ModalDialog } from './modal-dialog.tsx';
import { ReauthenticationForm } from './reauthentication-form.tsx';
import './reauthentication.css';

/** Goes through the rest of the chain: signs out, or gives up what wanted a confirmation. */
function declineAll(): void {
  while (chainOf(auth.getSnapshot()) !== null) auth.declineReauthentication();
}

/** Asks the user to authenticate again, over the page that waits behind it: by passkey first where one is known. */
export function ReauthenticationSheet(props: {
  readonly session: SignedInSnapshot;
  /** `null`: not known to this browser. */
  readonly username: string | null;
}): ReactElement {
  const { session, username } = props;
  const titleId = useId();
  const reasonId = useId();
  const isConfirmation = session.status === 'active';
  // As it was when the sheet opened: nothing moves while somebody types.
  const [isPasskeyFirst] = useState(() => isPasskeySupported() && knowsPasskey(session.user.sub));
  // Where no passkey is known, that stage is over before it begins; one can be used all the same.
  const stage = chainOf(session)?.stage;
  useEffect(() => {
    // What is true when it runs: an effect may run twice.
    const isNow = stage === 'biometric' && chainOf(auth.getSnapshot())?.stage === stage;
    if (isNow && !isPasskeyFirst) auth.declineReauthentication('unavailable');
  }, [isPasskeyFirst, stage]);
  const form = <ReauthenticationForm username={username} isConfirmation={isConfirmation} isPrimary={!isPasskeyFirst} />;
  return (
    <ModalDialog labelledBy={titleId} describedBy={reasonId} onCancel={isConfirmation ? declineAll : null}>
      <h2 id={titleId}>{isConfirmation ? 'Confirm it is you' : 'Sign in to go on'}</h2>
      <p id={reasonId} className="sheet-reason">
        {session.status === 'active'
          ? 'What you asked for needs a sign-in from the last few minutes. It goes on by itself afterwards.'
          : `${explainReauthentication(session.reason)} Your page is still here, and goes on where it was.`}
      </p>
      {!isConfirmation && <ParkedNote count={session.parkedRequests} />}
      <PasskeyStage isFirst={isPasskeyFirst}>{form}</PasskeyStage>
      <button type="button" className="button button-quiet button-wide" onClick={declineAll}>
        {isConfirmation ? 'Cancel' : 'Sign out instead'}
      </button>
    </ModalDialog>
  );
}

/** The passkey before or after the password, with what became of it. */
function PasskeyStage(props: { readonly isFirst: boolean; readonly children: ReactElement }): ReactElement {
  const { isFirst, children } = props;
  const failureId = useId();
  const { isPending, failure, start } = usePasskeySignIn();
  if (!isPasskeySupported()) return children;
  const or = <p className="or">or</p>;
  return (
    <>
      {!isFirst && children}
      {!isFirst && or}
      <div className="form">
        <PasskeyButton
          label={isFirst ? 'Use your passkey' : 'Use a passkey'}
          isPrimary={isFirst}
          isPending={isPending}
          onStart={() => void start()}
        />
        {!isFirst && <p className="sheet-hint">This browser has not used a passkey of yours yet.</p>}
        <FailureNotice id={failureId} failure={failure} />
      </div>
      {isFirst && or}
      {isFirst && children}
    </>
  );
}

function ParkedNote({ count }: { readonly count: number }): ReactElement {
  return (
    <p className="parked-note" role="status">
      {count > 0 && (
        <>
          <strong>{count === 1 ? '1 request is parked' : `${count} requests are parked`}.</strong> Sent as soon as you
          are back.
        </>
      )}
    </p>
  );
}
