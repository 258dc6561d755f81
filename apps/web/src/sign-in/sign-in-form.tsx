import { useEffect, useId, useRef, useState, type ReactElement, type SubmitEvent } from 'react';
import { PasswordField } from '../design/password-field.tsx';
import { UsernameField } from '../design/username-field.tsx';
import { focusHeadingIfLost } from '../page/focus-heading.ts';
import { demoCredential, DemoCredential } from './demo-credential.tsx';
import { FailureNotice } from './failure-notice.tsx';
import { usePasswordSignIn } from './use-password-sign-in.ts';

/** Sign-in by user name and password. */
export function SignInForm(): ReactElement {
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const usernameInput = useRef<HTMLInputElement>(null);
  const passwordInput = useRef<HTMLInputElement>(null);
  const submitButton = useRef<HTMLButtonElement>(null);
  const failureId = useId();
  const { isPending, failure, submit } = usePasswordSignIn();
  const isWrong = failure?.isCredentialWrong === true;
  // Where the last page was scrolled to says nothing about this one.
  useEffect(() => {
    window.scrollTo(0, 0);
    usernameInput.current?.focus({ preventScroll: true });
  }, []);
  const onSubmit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (isPending) return;
    if (await submit(username, password)) return focusHeadingIfLost();
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
        <UsernameField value={username} onChange={setUsername} ref={usernameInput} />
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
      <DemoCredential onFillIn={fillIn} />
    </>
  );
}
