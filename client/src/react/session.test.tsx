// @vitest-environment happy-dom
// React with the real client. These tests keep a page from showing an ended session, or one of another user.
import { act, StrictMode, startTransition, useLayoutEffect, useState, type ReactElement } from 'react';
import { createRoot } from 'react-dom/client';
import { describe, expect, it } from 'vitest';
import type { AuthService } from '../index.ts';
import { mount } from '../testing/mount.tsx';
import { createWorld, json } from '../testing/world.ts';
import { AuthProvider, SessionGate, useSession } from './index.ts';

function Status(): ReactElement {
  const session = useSession();
  return <p>{session.status}</p>;
}

/** Blocks the thread for longer than one slice of a React render. */
function blockFor(ms: number): void {
  const started = performance.now();
  while (performance.now() - started < ms);
}

describe('useSession', () => {
  it('returns the current session at the first render and after each change', async () => {
    const { time, openTab } = createWorld();
    const { auth } = openTab();
    const { text } = mount(auth, <Status />);
    expect(text()).toBe('restoring');
    await act(() => time.advance(0));
    expect(text()).toBe('signed-out');
    await act(() => auth.signIn({ username: 'ada', password: 'secret' }));
    expect(text()).toBe('active');
  });

  it('renders again only if the selected part changes', async () => {
    const { time, openSignedInTab } = createWorld();
    const { auth } = await openSignedInTab();
    let renders = 0;
    function Sub(): ReactElement {
      renders++;
      return <p>{useSession((session) => (session.status === 'active' ? session.user.sub : null))}</p>;
    }
    const { text } = mount(auth, <Sub />);
    await act(() => {
      auth.extend();
      return time.advance(1_000);
    });
    expect(auth.getSnapshot()).toMatchObject({ tokenNumber: 2 });
    expect(text()).toBe('user-1');
    expect(renders).toBe(1);
  });

  it('accepts a selection that is a new object every time, without an endless loop of renders', async () => {
    const { openSignedInTab } = createWorld();
    const { auth } = await openSignedInTab();
    const Pair = (): ReactElement => <p>{useSession(({ status }) => [status, 1]).join(' ')}</p>;
    expect(mount(auth, <Pair />).text()).toBe('active 1');
  });

  it('subscribes once under StrictMode, which mounts twice, and unsubscribes on unmount', async () => {
    const { openSignedInTab } = createWorld();
    const { auth } = await openSignedInTab();
    let listeners = 0;
    const counted: AuthService = {
      ...auth,
      subscribe: (listener) => {
        const stop = auth.subscribe(listener);
        listeners++;
        return () => {
          listeners--;
          stop();
        };
      },
    };
    const { unmount, text } = mount(
      counted,
      <StrictMode>
        <Status />
      </StrictMode>,
    );
    expect(listeners).toBe(1);
    await act(() => auth.signOut());
    expect(text()).toBe('signed-out');
    await unmount();
    expect(listeners).toBe(0);
  });

  it('shows the same session everywhere on the page, also if it changes during a slow render', async () => {
    const { openSignedInTab } = createWorld();
    const { auth } = await openSignedInTab();
    const seen = new Set<string>();
    function SlowStatus(): ReactElement {
      blockFor(8);
      return <Status />;
    }
    function Page(): ReactElement {
      const [isShown, setShown] = useState(false);
      useLayoutEffect(() => {
        if (isShown) seen.add(document.body.querySelector('#page')?.textContent ?? '');
      });
      useLayoutEffect(() => startTransition(() => setShown(true)), []);
      return <div id="page">{isShown && [1, 2, 3, 4, 5, 6].map((key) => <SlowStatus key={key} />)}</div>;
    }
    Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: false });
    const container = document.body.appendChild(document.createElement('div'));
    const root = createRoot(container);
    root.render(
      <AuthProvider auth={auth}>
        <Page />
      </AuthProvider>,
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    await auth.signOut();
    await expect.poll(() => container.textContent).toBe('signed-out'.repeat(6));
    for (const text of seen) expect(['active'.repeat(6), 'signed-out'.repeat(6)]).toContain(text);
    root.unmount();
    Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  });

  it('throws outside an `AuthProvider`', () => {
    expect(() => mount(null, <Status />)).toThrow('<AuthProvider>');
  });
});

describe('SessionGate', () => {
  function Draft(): ReactElement {
    const [text, setText] = useState('');
    return (
      <button type="button" onClick={() => setText('typed')}>
        draft: {text}
      </button>
    );
  }

  const gate = (
    <SessionGate
      restoring="restoring"
      signedOut={({ reason }) => `signed out: ${reason}`}
      reauthentication={({ status }) => ` sheet over ${status}`}
    >
      <Draft />
    </SessionGate>
  );

  async function setUp() {
    const world = createWorld();
    const tab = await world.openSignedInTab();
    const page = mount(tab.auth, gate);
    const type = (): Promise<void> => act(async () => page.container.querySelector('button')?.click());
    return { ...world, ...tab, ...page, type };
  }

  it('shows the content for each state', async () => {
    const { time, openTab } = createWorld();
    const { auth } = openTab();
    const { text } = mount(auth, gate);
    expect(text()).toBe('restoring');
    await act(() => time.advance(0));
    expect(text()).toBe('signed out: never-signed-in');
    await act(() => auth.signIn({ username: 'ada', password: 'secret' }));
    expect(text()).toBe('draft: ');
  });

  it('keeps the page and its typed text during a reauthentication', async () => {
    const { time, server, auth, text, type } = await setUp();
    await type();
    server.answers.push(json(400, { error: 'invalid_grant', reason: 'revoked' }));
    await act(() => {
      auth.extend();
      return time.advance(0);
    });
    expect(text()).toBe('draft: typed sheet over reauthentication-required');
    await act(() => auth.signIn({ username: 'ada', password: 'secret' }));
    expect(text()).toBe('draft: typed');
  });

  it('mounts a new page for another user, without the text of the previous one', async () => {
    const { server, auth, text, type } = await setUp();
    await type();
    server.extra = { sid: 'session-2', sub: 'user-2' };
    await act(() => auth.signIn({ username: 'bob', password: 'secret' }));
    expect(text()).toBe('draft: ');
  });

  it('shows a step-up beside the page', async () => {
    const { time, server, openSignedInTab } = createWorld();
    const challenge = { 'www-authenticate': 'Bearer error="insufficient_user_authentication", max_age="60"' };
    const answers = [new Response(null, { status: 401, headers: challenge }), new Response('done')];
    const { auth } = await openSignedInTab({ fetch: () => Promise.resolve(answers.shift() ?? Response.error()) });
    const { text } = mount(auth, gate);
    const request = auth.fetch('https://api.example.com/transfer');
    await act(() => time.advance(0));
    expect(text()).toBe('draft:  sheet over active');
    server.extra = { sid: 'session-2', sub: 'user-1' };
    await act(() => auth.signIn({ username: 'ada', password: 'secret' }));
    expect(await (await request).text()).toBe('done');
    expect(text()).toBe('draft: ');
  });
});
