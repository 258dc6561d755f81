// The same server through openid-client, as an application would use it: with the defaults of both sides.
import * as client from 'openid-client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { apiServer, startRealServer, type RealServer } from './real-server.ts';

let server: RealServer;
let config: client.Configuration;
let apiConfig: client.Configuration;

beforeAll(async () => {
  server = await startRealServer();
  const options: client.DiscoveryRequestOptions = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] };
  const issuer = new URL(server.issuer);
  config = await client.discovery(issuer, 'app', undefined, client.None(), options);
  const authentication = client.ClientSecretBasic(apiServer.secret);
  apiConfig = await client.discovery(issuer, apiServer.id, undefined, authentication, options);
});
afterAll(() => server?.stop());

async function signIn(options: client.DPoPOptions = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const callback = await server.signIn(pkceCodeVerifier);
  return client.authorizationCodeGrant(config, callback, { pkceCodeVerifier }, undefined, options);
}

it('signs in, refreshes, asks and signs out', async () => {
  const tokens = await signIn();
  expect(tokens.expires_in).toBe(900);
  const refreshToken = tokens.refresh_token ?? '';
  // Within the interval nothing is handed out, and the library keeps what it has.
  const refreshed = await client.refreshTokenGrant(config, refreshToken);
  expect(refreshed.refresh_token).toBeUndefined();
  const url = new URL(`${server.issuer}/api`);
  const response = await client.fetchProtectedResource(config, refreshed.access_token, url, 'GET');
  expect(await response.json()).toMatchObject({ sid: tokens['sid'] });
  expect(await client.tokenIntrospection(apiConfig, refreshed.access_token)).toMatchObject({ active: true });
  await client.tokenRevocation(config, refreshToken);
  expect(await client.tokenIntrospection(apiConfig, refreshed.access_token)).toEqual({ active: false });
  await expect(client.refreshTokenGrant(config, refreshToken)).rejects.toMatchObject({
    error: 'invalid_grant',
    status: 400,
  });
});

it('signs in with DPoP; the library fetches the nonce by itself', async () => {
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
  const tokens = await signIn({ DPoP });
  expect(tokens.token_type).toBe('dpop');
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '', undefined, { DPoP });
  expect(refreshed.token_type).toBe('dpop');
  const url = new URL(`${server.issuer}/api`);
  const response = await client.fetchProtectedResource(config, refreshed.access_token, url, 'GET', null, undefined, {
    DPoP,
  });
  expect(response.status).toBe(200);
});
