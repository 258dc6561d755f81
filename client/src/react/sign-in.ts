'use client';
import { useCallback, useRef, useState } from 'react';
import type { AuthService, PasswordCredential, SignInMethod } from '../index.ts';
import { useAuth } from './auth-context.tsx';

/** A credential, or a way of signing in such as `passkey()`. */
type Credential = PasswordCredential | SignInMethod;

/** A sign-in: what is under way, and why the last try failed. */
export type SignIn = {
  readonly isPending: boolean;
  /**
   * Why the last try failed: a `HoldfastError` (`sign-in-rejected`, `server-unavailable`, `misconfigured`), or what the method
   * threw, such as the browser's `DOMException`. `null` while one is under way and after one that worked.
   */
  readonly error: Error | null;
  /** Signs in. Resolves with whether it worked; never rejects. Does nothing while another try is under way. */
  readonly signIn: (credential: Credential) => Promise<boolean>;
};

/** The tries of one form, one after the other. `attempt` resolves with why it failed, `null` if it worked. */
export type Attempts = {
  readonly isPending: boolean;
  readonly error: Error | null;
  readonly attempt: (credential: Credential) => Promise<Error | null>;
  /** Forgets the error: what it was about is over. */
  readonly forget: () => void;
};

const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));

/** Keeps track of tries to sign in. */
export function useAttempts(auth: AuthService): Attempts {
  const [isPending, setPending] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  // Two presses of a button can come before React renders.
  const isBusy = useRef(false);
  const attempt = useCallback(
    async (credential: Credential): Promise<Error | null> => {
      if (isBusy.current) return new Error('another try is under way');
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
 * A sign-in form without its looks.
 *
 * @example
 * const { signIn, isPending, error } = useSignIn()
 * await signIn({ username, password })   // or signIn(passkey())
 */
export function useSignIn(): SignIn {
  const { isPending, error, attempt } = useAttempts(useAuth());
  const signIn = useCallback(async (credential: Credential) => (await attempt(credential)) === null, [attempt]);
  return { isPending, error, signIn };
}
