import { useSignIn } from 'holdfast/react';
import { isPasskeySupported } from 'holdfast/web';
import { useEffect, useId, useRef, useState, type ReactElement, type SubmitEvent } from 'react';
import { PasswordField } from '../design/password-field.tsx';
import { UsernameField } from '../design/username-field.tsx';
import { focusHeadingIfLost } from '../page/focus-heading.ts';
import { demoCredential, DemoCredential } from './demo-credential.tsx';
import { FailureNotice } from './failure-notice.tsx';
import { PasskeyButton } from './passkey-button.tsx';
import { explainPasskeyFailure, explainSignInFailure } from './sign-in-failure.ts';
import { passkeyOfUser, rememberPasskeyUse, usePasskeyAutofill } from './use-passkey-autofill.ts';

/** Sign-in by user name and password, or by passkey. */
export function SignInForm(): ReactElement {
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const usernameInput = useRef<HTMLInputElement>(null);
  const passwordInput = useRef<HTMLInputElement>(null);
  const submitButton = useRef<HTMLButtonElement>(null);
  const failureId = useId();
  const { isPending, error, signIn } = useSignIn();
  const failure = error && explainSignInFailure(error);
  const isWrong = failure?.isCredentialWrong === true;
  // Where the last page was scrolled to says nothing about this one.
  useEffect(() => {
    window.scrollTo(0, 0);
    usernameInput.current?.focus({ preventScroll: true });
  }, []);
  const onSubmit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (isPending) return;
    if (await signIn({ username: username.trim(), password })) return focusHeadingIfLost();
    passwordInput.current?.focus();
    passwordInput.current?.select();
  };
  const fillIn = (): void => {
    setUsername(demoCredential.username);
    setPassword(demoCredential.password);
    submitButton.current?.focus();
  };
  return (
    <>
      <form className="form" aria-label="Sign in" onSubmit={(event) => void onSubmit(event)}>
        <UsernameField value={username} onChange={setUsername} ref={usernameInput} takesPasskey />
        <PasswordField
          ref={passwordInput}
          value={password}
          onChange={setPassword}
          describedBy={isWrong ? failureId : undefined}
        />
        <FailureNotice id={failureId} failure={failure} />
        <button
          ref={submitButton}
          type="submit"
          className="button button-primary button-wide"
          aria-disabled={isPending}
          data-busy={isPending}
        >
          {isPending ? 'Signing in …' : 'Sign in'}
        </button>
      </form>
      {isPasskeySupported() && <PasskeySignIn />}
      <DemoCredential onFillIn={fillIn} />
    </>
  );
}

/** By button, and meanwhile by the autofill of the user name. */
function PasskeySignIn(): ReactElement {
  const failureId = useId();
  const { isPending, error, signIn } = useSignIn();
  const autofillFailure = usePasskeyAutofill(isPending, focusHeadingIfLost);
  const onStart = async (): Promise<void> => {
    if (!(await signIn(passkeyOfUser()))) return;
    rememberPasskeyUse();
    focusHeadingIfLost();
  };
  return (
    <div className="form">
      <p className="or">or</p>
      <PasskeyButton label="Sign in with a passkey" isPending={isPending} onStart={() => void onStart()} />
      <FailureNotice id={failureId} failure={error ? explainPasskeyFailure(error) : autofillFailure} />
    </div>
  );
}
