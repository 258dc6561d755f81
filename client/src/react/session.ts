'use client';
import { useMemo, useSyncExternalStore } from 'react';
import type { AuthService, SessionSnapshot } from '../index.ts';
import { useAuth } from './auth-context.tsx';

/** What a server renders, and a browser before it has taken over: whose session it is shows in the browser alone. */
const unknownYet: SessionSnapshot = { status: 'restoring' };

const whole = (session: SessionSnapshot): SessionSnapshot => session;

/** Selects once from each snapshot: a selection that is made anew must not look like a change. */
function selectOnce<Selected>(auth: AuthService, select: (session: SessionSnapshot) => Selected): () => Selected {
  let last: { readonly session: SessionSnapshot; readonly selection: Selected } | null = null;
  return () => {
    const session = auth.getSnapshot();
    if (last?.session !== session) last = { session, selection: select(session) };
    return last.selection;
  };
}

/**
 * The session as it is now; renders again when it changes. With `select`, a part of it: renders again only when that part is
 * another one by `Object.is`, so select values or members, or what follows from one snapshot.
 *
 * On a server, and while hydrating, the session is `restoring`.
 *
 * @example
 * const session = useSession()
 * const isSignedOut = useSession(({ status }) => status === 'signed-out')
 */
export function useSession(): SessionSnapshot;
export function useSession<Selected>(select: (session: SessionSnapshot) => Selected): Selected;
export function useSession(select: (session: SessionSnapshot) => unknown = whole): unknown {
  const auth = useAuth();
  const getSelection = useMemo(() => selectOnce(auth, select), [auth, select]);
  return useSyncExternalStore(auth.subscribe, getSelection, () => select(unknownYet));
}
