import { create } from 'axios';
import ky from 'ky';
// On a server that renders an app, its modules run too: a session there would be one for everybody.
import { afterEach, expect, it, vi } from 'vitest';
import { createApiClient } from '../api-client.ts';
import { createAuthService } from '../auth-service.ts';
import { attach as attachAxios } from '../axios/index.ts';
import { attach as attachKy } from '../ky/index.ts';
import { adopt } from '../optional/adopt.ts';
import { signOutEverywhere } from '../optional/everywhere.ts';
import { untilOnline } from '../until-online.ts';
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

it('every call on a server rejects at once and says why: a page that is rendered there does not hang', async () => {
  const auth = createAuthService({ issuer: 'https://api.example.com', clientId: 'app', platform: web() });
  const api = createApiClient({ baseUrl: 'https://api.example.com', auth });
  const client = create({ baseURL: 'https://api.example.com' });
  attachAxios(client, auth);
  const calls = {
    ready: auth.ready(),
    fetch: auth.fetch('https://api.example.com/me'),
    getAccessToken: auth.getAccessToken(),
    signIn: auth.signIn({ username: 'ada', password: 'secret' }),
    signOut: auth.signOut(),
    signOutEverywhere: signOutEverywhere(auth),
    adopt: adopt(auth, { access_token: 'token' }),
    'api.get': api.get('/me', { deadlineMs: 2_000 }),
    'api.get().json': api.get('/me').json(),
    'api.post': api.post('/me', { json: { name: 'Ada' } }),
    axios: client.get('/me'),
    ky: attachKy(ky.create({ prefix: 'https://api.example.com' }), auth).get('me'),
  };
  const outcomes = Object.entries(calls).map(async ([name, call]) => {
    const code: unknown = await Promise.resolve(call).then(
      () => 'resolved',
      (error: { readonly code?: unknown }) => error.code,
    );
    return [name, code] as const;
  });
  for (const [name, code] of await Promise.all(outcomes))
    expect(`${name}: ${String(code)}`).toBe(`${name}: server-rendering`);
});

it('a server renders by the snapshot and the subscription, and whatever a page reports is no error', () => {
  const auth = createAuthService({ issuer: 'https://api.example.com', clientId: 'app', platform: web() });
  const stop = auth.subscribe(() => {});
  expect(auth.getSnapshot()).toEqual({ status: 'restoring' });
  expect(auth.getSnapshot()).toBe(auth.getSnapshot());
  auth.extend();
  auth.userActive();
  auth.declineReauthentication();
  expect(untilOnline(auth)).toBeNull();
  stop();
  auth.dispose();
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
