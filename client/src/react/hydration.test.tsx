// @vitest-environment happy-dom
// React must hydrate a server-rendered page without discarding it.
import { act, StrictMode } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { expect, it, vi } from 'vitest';
import { createWorld } from '../testing/world.ts';
import { AuthProvider, SessionGate } from './index.ts';

it('hydrates the server-rendered page, then shows the session that was already there', async () => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  const { openSignedInTab } = createWorld();
  const { auth } = await openSignedInTab();
  const page = (
    <StrictMode>
      <AuthProvider auth={auth}>
        <SessionGate restoring={<p>a moment</p>}>{({ user }) => <p>{user.sub}</p>}</SessionGate>
      </AuthProvider>
    </StrictMode>
  );
  const container = document.body.appendChild(document.createElement('div'));
  container.innerHTML = renderToString(page);
  expect(container.innerHTML).toBe('<p>a moment</p>');
  const onRecoverableError = vi.fn<(error: unknown) => void>();
  const complaints = vi.spyOn(console, 'error').mockImplementation(() => {});
  await act(async () => hydrateRoot(container, page, { onRecoverableError }));
  expect(container.innerHTML).toBe('<p>user-1</p>');
  expect(onRecoverableError).not.toHaveBeenCalled();
  expect(complaints).not.toHaveBeenCalled();
});
