// A React app with a session: signs in, warns before the session ends, and asks for the password again after its end.
import { createAuthService, HoldfastError, type PasswordCredential } from 'holdfast';
import { AuthProvider, SessionGate, useAuth, useExpiryWarning, useReauthentication, useSignIn } from 'holdfast/react';
import { web } from 'holdfast/web';
import { StrictMode, useEffect, useRef, useState, type ReactElement, type SubmitEvent } from 'react';
import { createRoot } from 'react-dom/client';

const auth = createAuthService({ issuer: location.origin, clientId: 'short', platform: web() });

function App(): ReactElement {
  return (
    <AuthProvider auth={auth}>
      <h1>A session in React</h1>
      <SessionGate restoring={<p>A moment …</p>} signedOut={<SignIn />} reauthentication={<SignInAgain />}>
        <Page />
      </SessionGate>
    </AuthProvider>
  );
}

/** The credential that is typed in a form. A form with an `action` would forget it after a wrong password. */
function credentialOf(event: SubmitEvent<HTMLFormElement>): PasswordCredential {
  event.preventDefault();
  return Object.fromEntries(new FormData(event.currentTarget)) as PasswordCredential;
}

function SignIn(): ReactElement {
  const { signIn, isPending, error } = useSignIn();
  return (
    <form onSubmit={(event) => void signIn(credentialOf(event))}>
      <label>
        User name <input name="username" autoComplete="username" required />
      </label>
      <label>
        Password <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <Failure error={error} />
      <div className="buttons">
        <button className="main" disabled={isPending}>
          Sign in
        </button>
      </div>
    </form>
  );
}

function Page(): ReactElement {
  const { fetch, signOut } = useAuth();
  const [name, setName] = useState('');
  const [note, setNote] = useState('');
  useEffect(() => {
    const ask = async (): Promise<void> => {
      const response = await fetch('/api/me');
      const me = (await response.json()) as { readonly name: string };
      setName(me.name);
    };
    // Ignore the failure after a sign-out: the page is gone then.
    ask().catch(() => {});
  }, [fetch]);
  return (
    <section>
      <p role="status">Signed in as {name}</p>
      <ExpiryWarning />
      <label>
        A note <input value={note} onChange={(event) => setNote(event.target.value)} />
      </label>
      <p className="soft">It stays here while you sign in again.</p>
      <div className="buttons">
        <button onClick={() => void signOut()}>Sign out</button>
      </div>
    </section>
  );
}

function ExpiryWarning(): ReactElement | null {
  const warning = useExpiryWarning();
  if (warning === null) return null;
  return (
    <div className="notice buttons">
      <span role="status">Your session ends soon.</span>
      <span role="timer">{warning.secondsLeft} s</span>
      {warning.isExtendable && (
        <button disabled={warning.isExtending} onClick={warning.extend}>
          Stay signed in
        </button>
      )}
    </div>
  );
}

function SignInAgain(): ReactElement | null {
  const asked = useReauthentication();
  const dialog = useRef<HTMLDialogElement>(null);
  const isAsked = asked !== null;
  useEffect(() => {
    if (isAsked) dialog.current?.showModal();
  }, [isAsked]);
  if (asked === null) return null;
  return (
    <dialog ref={dialog} aria-labelledby="again" closedby="none">
      <form onSubmit={(event) => void asked.submit(credentialOf(event))}>
        <h2 id="again">Sign in to go on</h2>
        <label>
          User name <input name="username" autoComplete="username" required />
        </label>
        <label>
          Password <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <Failure error={asked.error} />
        <div className="buttons">
          <button className="main" disabled={asked.isPending}>
            Go on
          </button>
          <button type="button" onClick={asked.cancel}>
            Sign out
          </button>
        </div>
      </form>
    </dialog>
  );
}

function Failure({ error }: { readonly error: Error | null }): ReactElement {
  const isWrong = error instanceof HoldfastError && error.code === 'sign-in-rejected';
  const otherwise = error === null ? '' : `It did not work: ${error.message}`;
  return <p role="alert">{isWrong ? 'User name or password is wrong.' : otherwise}</p>;
}

const root = document.getElementById('app');
if (root === null) throw new Error('index.html has no #app');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
