'use client';
import { Fragment, type ReactElement, type ReactNode } from 'react';
import type { SessionSnapshot } from '../index.ts';
import { useAuth } from './auth-context.tsx';
import { chainOf } from './reauthentication.ts';
import { useSession } from './session.ts';

/** The session of somebody who is, or was and can be again, signed in. */
export type SignedInSession = Extract<SessionSnapshot, { readonly status: 'active' | 'reauth-required' }>;

/** Nobody is signed in, and why. */
export type SignedOutSession = Extract<SessionSnapshot, { readonly status: 'signed-out' }>;

/** What is shown for each state of the session; a function gets the snapshot. */
export type SessionGateProps = {
  /**
   * While somebody is signed in. It stays through a reauthentication, with what was typed and what is under way; another user
   * gets it fresh.
   */
  readonly children: ReactNode | ((session: SignedInSession) => ReactNode);
  /** Until it is known whether somebody is signed in; also what a server renders. Default: nothing. */
  readonly restoring?: ReactNode;
  /** While nobody is signed in. Default: nothing. */
  readonly signedOut?: ReactNode | ((session: SignedOutSession) => ReactNode);
  /**
   * Beside `children`, while the user has to authenticate again: to keep the session, or because a resource wants it (a
   * step-up, RFC 9470). Default: nothing.
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
 * Shows what fits the session.
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
    case 'reauth-required':
      return (
        <Fragment key={auth.owner()}>
          {fill(props.children, session)}
          {chainOf(session) !== null && fill(props.reauthentication, session)}
        </Fragment>
      );
  }
}
