'use client';
import { useCallback, useEffect } from 'react';
import {
  whyFailed,
  type AuthService,
  type Chain,
  type PasswordCredential,
  type ReauthenticationFailure,
  type ReauthenticationReason,
  type SessionSnapshot,
  type SignInMethod,
} from '../index.ts';
import { useAuth } from './auth-context.tsx';
import { useSession } from './session.ts';
import { useAttempts } from './sign-in.ts';

/** A reauthentication that the user is asked for. */
export type Reauthentication = Chain & {
  /** Why: the session ended, or a resource wants a fresh sign-in for one request while everything else goes on. */
  readonly reason: ReauthenticationReason | 'step-up';
  /** Whom the session is of; `sub` is `null` with servers that name none. */
  readonly user: { readonly sub: string | null };
  /** How many requests wait, and are sent afterwards. */
  readonly parkedRequests: number;
  readonly isPending: boolean;
  /** Why the last try failed, as in `SignIn`. */
  readonly error: Error | null;
  /**
   * Authenticates. Resolves with whether it worked; never rejects. Where a method (`passkey()`) does not help at its stage, the
   * next stage has its turn; a wrong password can be tried again.
   */
  readonly submit: (credential: PasswordCredential | SignInMethod) => Promise<boolean>;
  /** The stage is of no use: the next one has its turn, and after the last one it is over. Default: `unavailable`. */
  readonly skip: (why?: ReauthenticationFailure) => void;
  /** The user would rather not: signs out, or fails the request that wanted a fresh sign-in. */
  readonly cancel: () => void;
};

/** Where the chain of reauthentication is; `null`: nobody asks the user to authenticate again. */
export function chainOf(session: SessionSnapshot): Chain | null {
  if (session.status === 'reauth-required') return session;
  return session.status === 'active' ? session.stepUp : null;
}

/** A prompt that was declined comes up no better a second time. A server that is away says nothing about it. */
function giveWay(auth: AuthService, error: Error): void {
  const chain = chainOf(auth.getSnapshot());
  const isServerAway = 'isRetryable' in error && error.isRetryable === true;
  if (chain?.stage === 'biometric' && chain.laterStages.length > 0 && !isServerAway)
    auth.declineReauthentication(whyFailed(error));
}

function cancelAll(auth: AuthService): void {
  const chain = chainOf(auth.getSnapshot());
  // Not `while`: a sign-in that is being stored can no longer be declined.
  for (let left = chain ? chain.laterStages.length + 1 : 0; left > 0; left--) auth.declineReauthentication('cancelled');
}

/**
 * The reauthentication that the user is asked for, without its looks; `null` while there is none.
 *
 * @example
 * const reauthentication = useReauthentication()
 * if (reauthentication?.stage === 'biometric') return <button onClick={() => reauthentication.submit(passkey())} />
 * @see RFC 9470
 */
export function useReauthentication(): Reauthentication | null {
  const auth = useAuth();
  const session = useSession();
  const { isPending, error, attempt, forget } = useAttempts(auth);
  const chain = chainOf(session);
  const isAsked = chain !== null;
  useEffect(() => {
    if (!isAsked) forget();
  }, [isAsked, forget]);
  const submit = useCallback(
    async (credential: PasswordCredential | SignInMethod): Promise<boolean> => {
      const failure = await attempt(credential);
      if (failure !== null && typeof credential === 'function') giveWay(auth, failure);
      return failure === null;
    },
    [attempt, auth],
  );
  const stage = chain?.stage;
  const skip = useCallback(
    (why: ReauthenticationFailure = 'unavailable') => {
      // The stage that was shown, not one that has come since: effects run twice under StrictMode.
      if (chainOf(auth.getSnapshot())?.stage === stage) auth.declineReauthentication(why);
    },
    [auth, stage],
  );
  const cancel = useCallback(() => cancelAll(auth), [auth]);
  if (chain === null || (session.status !== 'active' && session.status !== 'reauth-required')) return null;
  const { laterStages, failed } = chain;
  const { user, parkedRequests } = session;
  const reason = session.status === 'active' ? 'step-up' : session.reason;
  return {
    stage: chain.stage,
    laterStages,
    failed,
    reason,
    user,
    parkedRequests,
    isPending,
    error,
    submit,
    skip,
    cancel,
  };
}
