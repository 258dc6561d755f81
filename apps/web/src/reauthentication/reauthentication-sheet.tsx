import { useReauthentication, type Reauthentication } from 'holdfast/react';
import { isPasskeySupported } from 'holdfast/web';
import { useEffect, useId, useState, type ReactElement } from 'react';
import { knowsPasskey } from '../session/known-passkey.ts';
import { explainReauthentication } from '../session/wording.ts';
import { FailureNotice } from '../sign-in/failure-notice.tsx';
import { PasskeyButton } from '../sign-in/passkey-button.tsx';
import { explainPasskeyFailure, explainSignInFailure } from '../sign-in/sign-in-failure.ts';
import { passkeyOfUser, rememberPasskeyUse } from '../sign-in/use-passkey-autofill.ts';
import { ModalDialog } from './modal-dialog.tsx';
import { ReauthenticationForm } from './reauthentication-form.tsx';
import './reauthentication.css';

/** Asks the user to authenticate again when that is wanted. `username`: `null` if this browser does not know it. */
export function ReauthenticationSheet({ username }: { readonly username: string | null }): ReactElement | null {
  const asked = useReauthentication();
  return asked && <Sheet asked={asked} username={username} />;
}

type SheetProps = { readonly asked: Reauthentication; readonly username: string | null };

/** Over the page that waits behind it: by passkey first where one is known. */
function Sheet({ asked, username }: SheetProps): ReactElement {
  const titleId = useId();
  const reasonId = useId();
  const isConfirmation = asked.reason === 'step-up';
  // As it was when the sheet opened: nothing moves while the user types.
  const [isPasskeyFirst] = useState(() => isPasskeySupported() && knowsPasskey(asked.user.sub));
  // Where no passkey is known, that stage is over before it begins; one can be used all the same.
  const { stage, skip } = asked;
  useEffect(() => {
    if (stage === 'passkey' && !isPasskeyFirst) skip();
  }, [stage, skip, isPasskeyFirst]);
  return (
    <ModalDialog labelledBy={titleId} describedBy={reasonId} onCancel={isConfirmation ? asked.cancel : null}>
      <h2 id={titleId}>{isConfirmation ? 'Confirm it is you' : 'Sign in to go on'}</h2>
      <p id={reasonId} className="sheet-reason">
        {asked.reason === 'step-up'
          ? 'What you asked for needs a sign-in from the last few minutes. It goes on by itself afterwards.'
          : `${explainReauthentication(asked.reason)} Your page is still here, and goes on where it was.`}
      </p>
      {!isConfirmation && <ParkedNote count={asked.parkedRequests} />}
      <Ways asked={asked} username={username} isPasskeyFirst={isPasskeyFirst} />
      <button type="button" className="button button-quiet button-wide" onClick={asked.cancel}>
        {isConfirmation ? 'Cancel' : 'Sign out instead'}
      </button>
    </ModalDialog>
  );
}

/** The passkey before or after the password, with what became of it. */
function Ways({ asked, username, isPasskeyFirst }: SheetProps & { readonly isPasskeyFirst: boolean }): ReactElement {
  const failureId = useId();
  const [way, setWay] = useState<'passkey' | 'password'>('password');
  const { isPending, error } = asked;
  const onPasskey = async (): Promise<void> => {
    setWay('passkey');
    if (await asked.submit(passkeyOfUser())) rememberPasskeyUse();
  };
  const onPassword = (name: string, password: string): Promise<boolean> => {
    setWay('password');
    return asked.submit({ username: name, password });
  };
  const form = (
    <ReauthenticationForm
      username={username}
      isConfirmation={asked.reason === 'step-up'}
      isPrimary={!isPasskeyFirst}
      isPending={isPending && way === 'password'}
      failure={error && way === 'password' ? explainSignInFailure(error) : null}
      onSubmit={onPassword}
    />
  );
  if (!isPasskeySupported()) return form;
  const passkey = (
    <div className="form">
      <PasskeyButton
        label={isPasskeyFirst ? 'Use your passkey' : 'Use a passkey'}
        isPrimary={isPasskeyFirst}
        isPending={isPending && way === 'passkey'}
        onStart={() => void onPasskey()}
      />
      {!isPasskeyFirst && <p className="sheet-hint">This browser has not used a passkey of yours yet.</p>}
      <FailureNotice id={failureId} failure={error && way === 'passkey' ? explainPasskeyFailure(error) : null} />
    </div>
  );
  const or = <p className="or">or</p>;
  return isPasskeyFirst ? (
    <>
      {passkey}
      {or}
      {form}
    </>
  ) : (
    <>
      {form}
      {or}
      {passkey}
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
