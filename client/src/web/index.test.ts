import { create } from 'axios';
import ky from 'ky';
// A rendering server runs the app's modules too: a session there would be shared by all users.
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

it('during server rendering the session stays `restoring`, sends no request and keeps no process alive', async () => {
  vi.useFakeTimers();
  const fetch = vi.fn<() => Promise<Response>>(() => Promise.resolve(Response.json({})));
  vi.stubGlobal('fetch', fetch);
  const auth = createAuthService({ issuer: 'https://api.example.com', clientId: 'app', platform: web() });
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(auth.getSnapshot()).toEqual({ status: 'restoring' });
  expect(fetch).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

it('every call during server rendering rejects at once with `server-rendering`, so that no page hangs', async () => {
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

it('snapshot, subscription and the calls without a result work during server rendering', () => {
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

it('a page in an insecure context throws `misconfigured` before the user can type a password', async () => {
  vi.stubGlobal('document', {});
  vi.stubGlobal('crypto', {});
  vi.resetModules();
  const page = await import('./index.ts');
  expect(() => page.web()).toThrow(
    expect.objectContaining({ code: 'misconfigured', message: expect.stringMatching(/https.*localhost/u) as string }),
  );
});
