import { useId, useRef, useState, type ReactElement, type SubmitEvent } from 'react';
import { PasswordField } from '../design/password-field.tsx';
import { UsernameField } from '../design/username-field.tsx';
import { FailureNotice } from '../sign-in/failure-notice.tsx';
import type { SignInFailure } from '../sign-in/sign-in-failure.ts';

/** The password once more. The user name is asked for only where this browser does not know it. */
export function ReauthenticationForm(props: {
  readonly username: string | null;
  /** The session goes on either way: this is about one request. */
  readonly isConfirmation: boolean;
  /** The first thing to do here. */
  readonly isPrimary: boolean;
  readonly isPending: boolean;
  readonly failure: SignInFailure | null;
  readonly onSubmit: (username: string, password: string) => Promise<boolean>;
}): ReactElement {
  const { username, isConfirmation, isPrimary, isPending, failure } = props;
  const [typedUsername, setTypedUsername] = useState('');
  const [password, setPassword] = useState('');
  const passwordInput = useRef<HTMLInputElement>(null);
  const failureId = useId();
  const onSubmit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (isPending || (await props.onSubmit((username ?? typedUsername).trim(), password))) return;
    passwordInput.current?.focus();
    passwordInput.current?.select();
  };
  return (
    <form className="form" onSubmit={(event) => void onSubmit(event)}>
      <UsernameField value={username ?? typedUsername} onChange={username === null ? setTypedUsername : undefined} />
      <PasswordField
        ref={passwordInput}
        value={password}
        onChange={setPassword}
        describedBy={failure?.isCredentialWrong === true ? failureId : undefined}
      />
      <FailureNotice id={failureId} failure={failure} />
      <button
        type="submit"
        className={`button button-wide${isPrimary ? ' button-primary' : ''}`}
        aria-disabled={isPending}
        data-busy={isPending}
      >
        {isPending ? 'Signing in …' : isConfirmation ? 'Confirm' : 'Sign in and go on'}
      </button>
    </form>
  );
}
