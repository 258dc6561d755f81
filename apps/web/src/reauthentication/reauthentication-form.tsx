import { useId, useRef, useState, type ReactElement, type SubmitEvent } from 'react';
import { PasswordField } from '../design/password-field.tsx';
import { UsernameField } from '../design/username-field.tsx';
import { FailureNotice } from '../sign-in/failure-notice.tsx';
import { usePasswordSignIn } from '../sign-in/use-password-sign-in.ts';

/** The password once more. The user name is asked for only where this browser does not know it. */
export function ReauthenticationForm({ username }: { readonly username: string | null }): ReactElement {
  const [typedUsername, setTypedUsername] = useState('');
  const [password, setPassword] = useState('');
  const passwordInput = useRef<HTMLInputElement>(null);
  const failureId = useId();
  const { isPending, failure, submit } = usePasswordSignIn();
  const onSubmit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (isPending || (await submit(username ?? typedUsername, password))) return;
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
        className="button button-primary button-wide"
        aria-disabled={isPending}
        data-busy={isPending}
      >
        {isPending ? 'Signing in …' : 'Sign in and go on'}
      </button>
    </form>
  );
}
