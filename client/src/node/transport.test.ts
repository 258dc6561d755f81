import { afterEach, describe, expect, it, vi } from 'vitest';
import { transportContract } from '../testing/transport-contract.ts';
import { nodeTransport } from './transport.ts';

transportContract('the transport of Node', nodeTransport);

afterEach(() => vi.unstubAllGlobals());

describe('the transport of Node', () => {
  it('sends in the same task, so that a refresh token read from the vault is not sent an hour later', () => {
    const called = vi.fn<typeof fetch>(() => Promise.resolve(new Response('{}')));
    vi.stubGlobal('fetch', called);
    const signal = { aborted: false, addEventListener: () => {}, removeEventListener: () => {} };
    const answer = nodeTransport({ url: 'https://api.example.com/token', method: 'POST', headers: {} }, signal);
    expect(called).toHaveBeenCalledOnce();
    return answer;
  });
});
