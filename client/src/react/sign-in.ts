'use client';
import { useCallback, useRef, useState } from 'react';
import type { AuthService, PasswordCredential, SignInMethod } from '../index.ts';
import { useAuth } from './auth-context.tsx';

/** A password credential, or a sign-in method such as `passkey()`. */
/** A password, or a method such as `passkey()`. */
export type SignInCredential = PasswordCredential | SignInMethod;

/** The state and action of a sign-in form. */
export type SignIn = {
  readonly isPending: boolean;
  /**
   * The error of the last try: a `HoldfastError` (`sign-in-rejected`, `server-unavailable`, `misconfigured`), or the
   * error of the method, such as the browser's `DOMException`. `null` during a try and after a successful one.
   */
  readonly error: Error | null;
  /** Signs in. Resolves with `true` on success, never rejects. Does nothing while another try is under way. */
  readonly signIn: (credential: SignInCredential) => Promise<boolean>;
};

/** The tries of one form, one at a time. `attempt` resolves with its error; `null` on success, `busy` if it did nothing. */
export type Attempts = {
  readonly isPending: boolean;
  readonly error: Error | null;
  readonly attempt: (credential: SignInCredential) => Promise<Error | 'busy' | null>;
  /** Clears the error, once it no longer applies. */
  readonly forget: () => void;
};

const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));

/** Keeps track of tries to sign in. */
export function useAttempts(auth: AuthService): Attempts {
  const [isPending, setPending] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  // A ref, not state: a double click can come before React renders.
  const isBusy = useRef(false);
  const attempt = useCallback(
    async (credential: SignInCredential): Promise<Error | 'busy' | null> => {
      if (isBusy.current) return 'busy';
      isBusy.current = true;
      setPending(true);
      setError(null);
      try {
        await auth.signIn(credential);
        return null;
      } catch (thrown) {
        setError(asError(thrown));
        return asError(thrown);
      } finally {
        isBusy.current = false;
        setPending(false);
      }
    },
    [auth],
  );
  const forget = useCallback(() => setError(null), []);
  return { isPending, error, attempt, forget };
}

/**
 * Returns the state and action for a sign-in form.
 *
 * @example
 * const { signIn, isPending, error } = useSignIn()
 * await signIn({ username, password })   // or signIn(passkey())
 */
export function useSignIn(): SignIn {
  const { isPending, error, attempt } = useAttempts(useAuth());
  const signIn = useCallback(async (credential: SignInCredential) => (await attempt(credential)) === null, [attempt]);
  return { isPending, error, signIn };
}
