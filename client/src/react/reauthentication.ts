'use client';
import { useCallback, useEffect } from 'react';
import {
  whyFailed,
  type AuthService,
  type ReauthenticationProgress,
  type PasswordCredential,
  type ReauthenticationFailure,
  type ReauthenticationReason,
  type SessionSnapshot,
  type SignInMethod,
} from '../index.ts';
import { useAuth } from './auth-context.tsx';
import { useSession } from './session.ts';
import { useAttempts } from './sign-in.ts';

/** A reauthentication that waits for the user. */
export type Reauthentication = ReauthenticationProgress & {
  /**
   * The reason why the session ended. `step-up`: a resource requires a recent authentication, and the session
   * continues.
   */
  readonly reason: ReauthenticationReason | 'step-up';
  /** The user of the session. `sub` is `null` if the server names none. */
  readonly user: { readonly sub: string | null };
  /** The number of parked requests. They are sent after the reauthentication. */
  readonly parkedRequests: number;
  readonly isPending: boolean;
  /** The error of the last try, as in `SignIn`. */
  readonly error: Error | null;
  /**
   * Authenticates. Resolves with `true` on success, never rejects. If a method (`passkey()`) fails at the passkey
   * stage, the next stage follows, unless there is none or the server was unreachable. A wrong password can be tried
   * again. Does nothing and resolves with `false` while another try is under way, and once this stage is over.
   */
  readonly submit: (credential: PasswordCredential | SignInMethod) => Promise<boolean>;
  /**
   * Skips this stage. The next stage follows; after the last one the reauthentication has failed. Default:
   * `unavailable`.
   */
  readonly skip: (why?: ReauthenticationFailure) => void;
  /** Declines the reauthentication: signs out or, for a step-up, rejects the requests that require it. */
  readonly cancel: () => void;
};

/** Returns the reauthentication chain of a snapshot; `null` if there is no reauthentication. */
export function chainOf(session: SessionSnapshot): ReauthenticationProgress | null {
  if (session.status === 'reauthentication-required') return session;
  return session.status === 'active' ? session.stepUp : null;
}

/**
 * Moves on to the next stage after a failed passkey: a second prompt would not help. Stays at the last stage, and if
 * the server was unreachable.
 */
function giveWay(auth: AuthService, error: Error): void {
  const chain = chainOf(auth.getSnapshot());
  const isServerAway = 'isRetryable' in error && error.isRetryable === true;
  if (chain?.stage === 'passkey' && chain.laterStages.length > 0 && !isServerAway)
    auth.declineReauthentication(whyFailed(error));
}

function cancelAll(auth: AuthService): void {
  const chain = chainOf(auth.getSnapshot());
  // No `while` loop: declining has no effect while a sign-in is being stored.
  for (let left = chain ? chain.laterStages.length + 1 : 0; left > 0; left--) auth.declineReauthentication('cancelled');
}

/**
 * Returns the data and actions for a reauthentication form; `null` while there is no reauthentication.
 *
 * @example
 * const reauthentication = useReauthentication()
 * if (reauthentication?.stage === 'passkey') return <button onClick={() => reauthentication.submit(passkey())} />
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
  const stage = chain?.stage;
  // The rendered stage may be over: a double click comes before React renders, and effects run twice under StrictMode.
  const isOver = useCallback(() => chainOf(auth.getSnapshot())?.stage !== stage, [auth, stage]);
  const submit = useCallback(
    async (credential: PasswordCredential | SignInMethod): Promise<boolean> => {
      if (isOver()) return false;
      const outcome = await attempt(credential);
      if (outcome instanceof Error && typeof credential === 'function' && !isOver()) giveWay(auth, outcome);
      return outcome === null;
    },
    [attempt, auth, isOver],
  );
  const skip = useCallback(
    (why: ReauthenticationFailure = 'unavailable') => {
      if (!isOver()) auth.declineReauthentication(why);
    },
    [auth, isOver],
  );
  const cancel = useCallback(() => cancelAll(auth), [auth]);
  if (chain === null || (session.status !== 'active' && session.status !== 'reauthentication-required')) return null;
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
