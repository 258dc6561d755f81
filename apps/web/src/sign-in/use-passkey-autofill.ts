import { HoldfastError, type SignInMethod } from 'holdfast';
import { isPasskeyAutofillSupported, passkey, type PasskeyOptions } from 'holdfast/web';
import { useEffect, useState } from 'react';
import { rememberPasskey } from '../session/known-passkey.ts';
import { auth } from '../session/session.ts';
import { explainPasskeyFailure, type SignInFailure } from './sign-in-failure.ts';

/** Signs in with a passkey; one that the server refuses is not asked for first any more. */
export function passkeyOfUser(options: PasskeyOptions = {}): SignInMethod {
  const method = passkey(options);
  return async (ask) => {
    const answer = await method(ask);
    if (answer.kind === 'rejected') rememberPasskey(null);
    return answer;
  };
}

/** A passkey has just signed its user in: the next time, it is asked for first. */
export function rememberPasskeyUse(): void {
  const session = auth.getSnapshot();
  if (session.status === 'active') rememberPasskey(session.user.sub);
}

/**
 * Offers passkeys in the autofill of the user name for as long as the form is there. Paused while another ceremony runs:
 * a browser takes one at a time. Returns why a passkey that was picked did not work; a prompt that the user did not ask for fails in silence.
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
        await auth.signIn(passkeyOfUser({ mediation: 'conditional', signal }));
        rememberPasskeyUse();
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
