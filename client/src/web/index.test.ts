// On a server that renders an app, its modules run too: a session there would be one for everybody.
import { afterEach, expect, it, vi } from 'vitest';
import { createAuthService } from '../auth-service.ts';
import { web } from './index.ts';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it('a session on a server stays unknown, sends nothing and keeps no process alive', async () => {
  vi.useFakeTimers();
  const fetch = vi.fn<() => Promise<Response>>(() => Promise.resolve(Response.json({})));
  vi.stubGlobal('fetch', fetch);
  const auth = createAuthService({ issuer: 'https://api.example.com', clientId: 'app', platform: web() });
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(auth.getSnapshot()).toEqual({ status: 'restoring' });
  expect(fetch).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

it('a page at an address that browsers do not trust says so before anybody types a password', async () => {
  vi.stubGlobal('document', {});
  vi.stubGlobal('crypto', {});
  vi.resetModules();
  const page = await import('./index.ts');
  expect(() => page.web()).toThrow(
    expect.objectContaining({ code: 'misconfigured', message: expect.stringMatching(/https.*localhost/u) as string }),
  );
});
