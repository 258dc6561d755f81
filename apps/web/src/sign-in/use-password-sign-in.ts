import { useState } from 'react';
import { auth } from '../session/session.ts';
import { explainSignInFailure, type SignInFailure } from './sign-in-failure.ts';

/** A sign-in by password: what is under way, and what went wrong. */
export type PasswordSignIn = {
  readonly isPending: boolean;
  readonly failure: SignInFailure | null;
  /** Signs in. Resolves with whether it worked; never rejects. */
  readonly submit: (username: string, password: string) => Promise<boolean>;
};

/** Signs in and keeps track; the same for the first sign-in and for signing in again. */
export function usePasswordSignIn(): PasswordSignIn {
  const [isPending, setPending] = useState(false);
  const [failure, setFailure] = useState<SignInFailure | null>(null);
  const submit = async (username: string, password: string): Promise<boolean> => {
    setPending(true);
    setFailure(null);
    try {
      await auth.signIn({ username: username.trim(), password });
      return true;
    } catch (error) {
      setFailure(explainSignInFailure(error));
      return false;
    } finally {
      setPending(false);
    }
  };
  return { isPending, failure, submit };
}
