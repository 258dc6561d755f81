// @vitest-environment happy-dom
// The example of docs/guides/react.md: loaded data stays during a reauthentication, and no other user sees it.
import { notifyManager, QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query';
import { act, useState, type ReactElement, type ReactNode } from 'react';
import { describe, expect, it } from 'vitest';
import { createApiClient, HoldfastError, type ApiClient } from '../index.ts';
import { mount } from '../testing/mount.tsx';
import { createWorld, json } from '../testing/world.ts';
import { SessionGate } from './index.ts';

const isWorthRepeating = (failures: number, error: unknown): boolean =>
  failures < 3 && error instanceof HoldfastError && error.isRetryable;

/** One cache for one user: the gate keeps it during a reauthentication, and drops it for another user. */
function UserQueryCache({ children }: { readonly children: ReactNode }): ReactElement {
  const [client] = useState(
    () => new QueryClient({ defaultOptions: { queries: { retry: isWorthRepeating, networkMode: 'always' } } }),
  );
  return <QueryClientProvider client={client}>{children}</QueryClientProvider>;
}

function Notes({ api }: { readonly api: ApiClient }): ReactElement {
  const { data, fetchStatus, refetch } = useQuery({
    queryKey: ['notes'],
    queryFn: ({ signal }) => api.get('notes', { signal }).json<{ readonly notes: string }>(),
  });
  return (
    <button type="button" onClick={() => void refetch()}>
      {data?.notes ?? 'loading'} {fetchStatus}
    </button>
  );
}

// Notify without a timer: the tests control time.
notifyManager.setScheduler(queueMicrotask);

async function setUp() {
  const world = createWorld();
  let loads = 0;
  const { auth } = await world.openSignedInTab({
    fetch: (_input, init) => {
      const token = new Headers(init?.headers).get('authorization')?.replace('Bearer ', '');
      return Promise.resolve(Response.json({ notes: `load ${++loads} with ${token}` }));
    },
  });
  const api = createApiClient({ baseUrl: 'https://api.example.com', auth });
  const page = mount(
    auth,
    <SessionGate signedOut="signed out" reauthentication=" sheet">
      <UserQueryCache>
        <Notes api={api} />
      </UserQueryCache>
    </SessionGate>,
  );
  const { time, server } = world;
  await act(() => time.advance(1_000));
  return {
    ...world,
    auth,
    ...page,
    pass: () => act(() => time.advance(1_000)),
    lose: () => server.answers.push(ended),
  };
}

const ended = json(400, { error: 'invalid_grant', reason: 'revoked' });

describe('TanStack Query with a session', () => {
  it('shows its data during a reauthentication, and the parked refetch succeeds afterwards', async () => {
    const { auth, time, text, container, pass, lose } = await setUp();
    expect(text()).toBe('load 1 with access-1 idle');
    lose();
    await act(() => time.advance(900_000));
    expect(text()).toBe('load 1 with access-1 idle sheet');
    await act(async () => container.querySelector('button')?.click());
    await pass();
    expect(text()).toBe('load 1 with access-1 fetching sheet');
    await act(() => auth.signIn({ username: 'ada', password: 'secret' }));
    await pass();
    expect(text()).toBe('load 2 with access-2 idle');
  });

  it('drops its data on sign-out', async () => {
    const { auth, text, pass } = await setUp();
    await act(() => auth.signOut());
    expect(text()).toBe('signed out');
    await act(() => auth.signIn({ username: 'ada', password: 'secret' }));
    await pass();
    expect(text()).toBe('load 2 with access-2 idle');
  });

  it('does not show the previous user’s data to a user who signs in without a sign-out', async () => {
    const { auth, server, text } = await setUp();
    server.extra = { sid: 'session-2', sub: 'user-2' };
    await act(() => auth.signIn({ username: 'bob', password: 'secret' }));
    expect(text()).not.toContain('load 1');
  });
});
