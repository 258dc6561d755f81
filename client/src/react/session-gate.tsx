'use client';
import { Fragment, type ReactElement, type ReactNode } from 'react';
import type { SessionSnapshot } from '../index.ts';
import { useAuth } from './auth-context.tsx';
import { chainOf } from './reauthentication.ts';
import { useSession } from './session.ts';

/** The session of a user who is signed in, or has to authenticate again. */
export type SignedInSession = Extract<SessionSnapshot, { readonly status: 'active' | 'reauthentication-required' }>;

/** The state without a session, and its reason. */
export type SignedOutSession = Extract<SessionSnapshot, { readonly status: 'signed-out' }>;

/** The content for each state of the session. A function receives the snapshot. */
export type SessionGateProps = {
  /**
   * Shown while a user is signed in. It stays mounted during a reauthentication and keeps its state. For another user
   * it is mounted anew.
   */
  readonly children: ReactNode | ((session: SignedInSession) => ReactNode);
  /** Shown until the session is restored, and during server rendering. Default: nothing. */
  readonly restoring?: ReactNode;
  /** Shown while no user is signed in. Default: nothing. */
  readonly signedOut?: ReactNode | ((session: SignedOutSession) => ReactNode);
  /**
   * Shown beside `children` while the user has to authenticate again: to continue the session, or for a step-up of a
   * resource (RFC 9470). Default: nothing.
   */
  readonly reauthentication?: ReactNode | ((session: SignedInSession) => ReactNode);
};

function fill<Session extends SessionSnapshot>(
  slot: ReactNode | ((session: Session) => ReactNode),
  session: Session,
): ReactNode {
  return typeof slot === 'function' ? slot(session) : slot;
}

/**
 * Shows the content for the current state of the session.
 *
 * @example
 * <SessionGate restoring={<Skeleton />} signedOut={<SignInPage />} reauthentication={<Sheet />}>
 *   <App />
 * </SessionGate>
 */
export function SessionGate(props: SessionGateProps): ReactElement {
  const auth = useAuth();
  const session = useSession();
  switch (session.status) {
    case 'restoring':
      return <>{props.restoring}</>;
    case 'signed-out':
      return <>{fill(props.signedOut, session)}</>;
    case 'active':
    case 'reauthentication-required':
      return (
        <Fragment key={auth.userEpoch()}>
          {fill(props.children, session)}
          {chainOf(session) !== null && fill(props.reauthentication, session)}
        </Fragment>
      );
  }
}
