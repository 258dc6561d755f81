// A server-rendered page must not depend on a session.
import { renderToString } from 'react-dom/server';
import { expect, it } from 'vitest';
import { createWorld } from '../testing/world.ts';
import { AuthProvider, SessionGate, useExpiryWarning, useReauthentication, useSession } from './index.ts';

function Everything() {
  const isNobody = useSession(({ status }) => status === 'restoring');
  return <p>{JSON.stringify([isNobody, useReauthentication(), useExpiryWarning()])}</p>;
}

it('renders the same page for all users, without a window, although a user is signed in', async () => {
  expect(typeof window).toBe('undefined');
  const { openSignedInTab } = createWorld();
  const { auth } = await openSignedInTab();
  expect(auth.getSnapshot().status).toBe('active');
  const html = renderToString(
    <AuthProvider auth={auth}>
      <Everything />
      <SessionGate restoring="a moment" signedOut="sign in">
        the secret
      </SessionGate>
    </AuthProvider>,
  );
  expect(html).toBe('<p>[true,null,null]</p>a moment');
});
