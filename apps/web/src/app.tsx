import type { ReactElement } from 'react';
import { RestoringPage } from './page/restoring-page.tsx';
import { SignedInPage } from './page/signed-in-page.tsx';
import { useSession } from './session/session.ts';
import { SignInPage } from './sign-in/sign-in-page.tsx';

/**
 * The page for the session as it is. A session that has to be authenticated again keeps its page: what was typed and
 * what is under way stay where they are, and only another user gets a fresh one.
 */
export function App(): ReactElement {
  const session = useSession();
  switch (session.status) {
    case 'restoring':
      return <RestoringPage />;
    case 'signed-out':
      return <SignInPage reason={session.reason} />;
    case 'active':
    case 'reauth-required':
      return <SignedInPage key={session.user.sub} session={session} />;
  }
}
