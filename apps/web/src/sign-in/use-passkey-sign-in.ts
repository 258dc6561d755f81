import { useEffect, useState } from 'react';
import { HoldfastError } from 'holdfast';
import { explainPasskeyError, isPasskeyAutofillSupported, passkey, type PasskeyOptions } from 'holdfast/web';
import { rememberPasskey } from '../session/known-passkey.ts';
import { auth, chainOf } from '../session/session.ts';
import { explainPasskeyFailure, type SignInFailure } from './sign-in-failure.ts';

/** A sign-in by passkey: what is under way, and what went wrong. */
export type PasskeySignIn = {
  readonly isPending: boolean;
  readonly failure: SignInFailure | null;
  /** Signs in. Resolves with whether it worked; never rejects. */
  readonly start: () => Promise<boolean>;
};

async function signIn(options: PasskeyOptions): Promise<void> {
  try {
    await auth.signIn(passkey(options));
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'sign-in-rejected') rememberPasskey(null);
    throw error;
  }
  const session = auth.getSnapshot();
  if (session.status === 'active') rememberPasskey(session.user.sub);
}

/** In the chain of reauthentication the passkey did not help: the password is next. A server that is away says nothing. */
function goOnWithPassword(error: unknown): void {
  const chain = chainOf(auth.getSnapshot());
  if (chain?.stage !== 'biometric' || (error instanceof HoldfastError && error.isRetryable)) return;
  const why = explainPasskeyError(error);
  auth.declineReauthentication(why === 'cancelled' || why === 'unavailable' ? why : 'failed');
}

/** Signs in by the browser's dialog; the same for the first sign-in and for signing in again. */
export function usePasskeySignIn(): PasskeySignIn {
  const [isPending, setPending] = useState(false);
  const [failure, setFailure] = useState<SignInFailure | null>(null);
  const start = async (): Promise<boolean> => {
    setPending(true);
    setFailure(null);
    try {
      await signIn({});
      return true;
    } catch (error) {
      setFailure(explainPasskeyFailure(error));
      goOnWithPassword(error);
      return false;
    } finally {
      setPending(false);
    }
  };
  return { isPending, failure, start };
}

/**
 * Offers passkeys in the autofill of the user name for as long as the form is there. Paused while another ceremony runs:
 * a browser takes one at a time. Returns why a passkey that was picked did not work; what nobody asked for is silent.
 */
export function usePasskeyAutofill(isPaused: boolean, onSignedIn: () => void): SignInFailure | null {
  const [failure, setFailure] = useState<SignInFailure | null>(null);
  useEffect(() => {
    if (isPaused) return;
    const controller = new AbortController();
    const { signal } = controller;
    const offer = async (): Promise<void> => {
      if (!(await isPasskeyAutofillSupported()) || signal.aborted) return;
      try {
        await signIn({ mediation: 'conditional', signal });
        onSignedIn();
      } catch (error) {
        const isRefused = error instanceof HoldfastError && error.code === 'sign-in-rejected';
        if (isRefused && !signal.aborted) setFailure(explainPasskeyFailure(error));
      }
    };
    void offer();
    return () => {
      controller.abort();
      setFailure(null);
    };
    // `onSignedIn` changes with every render and does the same.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [isPaused]);
  return failure;
}
