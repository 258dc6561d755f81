import { afterEach, describe, expect, it, vi } from 'vitest';
import { transportContract } from '../testing/transport-contract.ts';
import { webTransport } from './transport.ts';

transportContract('the transport of browsers', webTransport('cookie'));

afterEach(() => vi.unstubAllGlobals());

describe('the transport of browsers', () => {
  it('sends in the same task, with the site’s cookies and without a cache', () => {
    const called = vi.fn<typeof fetch>(() => Promise.resolve(new Response('{}')));
    vi.stubGlobal('fetch', called);
    const signal = { aborted: false, addEventListener: () => {}, removeEventListener: () => {} };
    const answer = webTransport('cookie')(
      { url: 'https://api.example.com/token', method: 'POST', headers: {} },
      signal,
    );
    expect(called).toHaveBeenCalledOnce();
    expect(called.mock.lastCall?.[1]).toMatchObject({ credentials: 'include', cache: 'no-store' });
    return answer;
  });

  it('sends a `keepalive` request that outlives its page, so that a sign-out reaches the server', async () => {
    const called = vi.fn<typeof fetch>(() => Promise.resolve(new Response('{}')));
    vi.stubGlobal('fetch', called);
    const signal = { aborted: false, addEventListener: () => {}, removeEventListener: () => {} };
    const request = { url: 'https://api.example.com/revoke', method: 'POST', headers: {} } as const;
    await webTransport('cookie')({ ...request, keepalive: true }, signal);
    await webTransport('cookie')(request, signal);
    expect(called.mock.calls.map(([, init]) => init?.keepalive)).toEqual([true, undefined]);
  });
});
