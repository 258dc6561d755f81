import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
// Account calls at a server whose tokens are for another API by default: with the real client and the real server.
import { createAuthService, type AuthService } from 'holdfast';
import { node } from 'holdfast/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { apiServer, startRealServer, type RealServer } from './interop/real-server.ts';

const credential = { username: 'ada@example.org', password: 'correct horse battery' };
let server: RealServer;
let auth: AuthService;
const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-account-'));

beforeAll(async () => {
  server = await startRealServer();
  auth = createAuthService({ issuer: server.issuer, clientId: 'app', platform: node({ name: 'app', folder }) });
  await auth.ready();
  await auth.signIn(credential);
});
afterAll(async () => {
  auth?.dispose();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const audienceOf = (token: string): unknown =>
  (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { readonly aud: unknown }).aud;

it('the options of a new passkey are handed out, and the session goes on with tokens for its API', async () => {
  const init = { method: 'POST', body: new URLSearchParams(), resource: server.issuer };
  const response = await auth.fetch(`${server.issuer}/passkeys/options`, init);
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ passkey_options: { challenge: expect.any(String) as string } });
  expect(audienceOf(await auth.getAccessToken())).toBe(apiServer.audience);
});

it('an app changes the password and lists the devices by naming the issuer as the resource', async () => {
  const resource = server.issuer;
  const list = await auth.fetch(`${server.issuer}/sessions`, { resource });
  expect(list.status).toBe(200);
  const body = new URLSearchParams({ new_password: 'another correct horse', end_other_sessions: 'false' });
  const changed = await auth.fetch(`${server.issuer}/password`, { method: 'POST', body, resource });
  expect(changed.ok).toBe(true);
  const api = await auth.fetch(`${server.issuer}/api`);
  expect(await api.json()).toMatchObject({ aud: apiServer.audience });
});

it('without a resource they are refused, and nothing is asked of the server for it', async () => {
  const before = auth.getSnapshot();
  expect((await auth.fetch(`${server.issuer}/sessions`)).status).toBe(401);
  expect(auth.getSnapshot()).toMatchObject({
    status: 'active',
    tokenNumber: 'tokenNumber' in before && before.tokenNumber,
  });
});
