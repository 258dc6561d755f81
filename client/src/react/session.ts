'use client';
import { useMemo, useSyncExternalStore } from 'react';
import type { AuthService, SessionSnapshot } from '../index.ts';
import { useAuth } from './auth-context.tsx';

/** The snapshot during server rendering and hydration: only the browser knows the session. */
const unknownYet: SessionSnapshot = { status: 'restoring' };

const whole = (session: SessionSnapshot): SessionSnapshot => session;

/** Calls `select` once for each snapshot: a new but equal object must not look like a change. */
function selectOnce<Selected>(auth: AuthService, select: (session: SessionSnapshot) => Selected): () => Selected {
  let last: { readonly session: SessionSnapshot; readonly selection: Selected } | null = null;
  return () => {
    const session = auth.getSnapshot();
    if (last?.session !== session) last = { session, selection: select(session) };
    return last.selection;
  };
}

/**
 * Returns the current session and renders again when it changes. With `select` it returns a part of the session and
 * renders again only if that part differs by `Object.is`. Select primitive values or members of the snapshot, or derive
 * an object from the snapshot alone.
 *
 * During server rendering and hydration the session is `restoring`.
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
