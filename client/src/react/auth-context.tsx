'use client';
import { createContext, useContext, type ReactElement, type ReactNode } from 'react';
import type { AuthService } from '../index.ts';

const AuthContext = createContext<AuthService | null>(null);

/**
 * Gives the session to everything below. `auth` is made once, outside of React (`createAuthService`): React may render,
 * throw away and render again, and the session must not notice.
 */
export function AuthProvider(props: { readonly auth: AuthService; readonly children: ReactNode }): ReactElement {
  return <AuthContext.Provider value={props.auth}>{props.children}</AuthContext.Provider>;
}

/** The session's service, for what a user does: `signOut`, `extend`. Throws `TypeError` outside of an `AuthProvider`. */
export function useAuth(): AuthService {
  const auth = useContext(AuthContext);
  if (auth === null) throw new TypeError('an <AuthProvider> must be above what uses the session');
  return auth;
}
