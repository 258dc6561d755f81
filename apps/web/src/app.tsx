import { AuthProvider, SessionGate } from 'holdfast/react';
import type { ReactElement } from 'react';
import { RestoringPage } from './page/restoring-page.tsx';
import { SignedInPage } from './page/signed-in-page.tsx';
import { auth } from './session/session.ts';
import { SignInPage } from './sign-in/sign-in-page.tsx';

/** The page for the session as it is. */
export function App(): ReactElement {
  return (
    <AuthProvider auth={auth}>
      <SessionGate restoring={<RestoringPage />} signedOut={({ reason }) => <SignInPage reason={reason} />}>
        {(session) => <SignedInPage session={session} />}
      </SessionGate>
    </AuthProvider>
  );
}
