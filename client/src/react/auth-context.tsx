'use client';
import { createContext, useContext, type ReactElement, type ReactNode } from 'react';
import type { AuthService } from '../index.ts';

const AuthContext = createContext<AuthService | null>(null);

/**
 * Provides the session to all components below. Create `auth` once, outside of React, with `createAuthService`: React
 * may discard a render and repeat it, which must not affect the session.
 */
export function AuthProvider(props: { readonly auth: AuthService; readonly children: ReactNode }): ReactElement {
  return <AuthContext.Provider value={props.auth}>{props.children}</AuthContext.Provider>;
}

/**
 * Returns the `AuthService`, for actions such as `signOut` and `extend`. Throws `TypeError` outside an `AuthProvider`.
 */
export function useAuth(): AuthService {
  const auth = useContext(AuthContext);
  if (auth === null) throw new TypeError('an <AuthProvider> must be above what uses the session');
  return auth;
}
