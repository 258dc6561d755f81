// Our server used by a client library of other authors, over real HTTP: oauth4webapi, which checks every answer against
// the specifications and refuses what is not exactly right.
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiServer, redirectUri, startRealServer, type RealServer } from './real-server.ts';

const client: oauth.Client = { client_id: 'app' };
const api: oauth.Client = { client_id: apiServer.id };
const http = { [oauth.allowInsecureRequests]: true };

let server: RealServer;
let as: oauth.AuthorizationServer;

beforeAll(async () => {
  // Rotation at every use, as the library's users expect it of others.
  server = await startRealServer({ policy: { rotationIntervalMs: 0 } });
  const issuer = new URL(server.issuer);
  as = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...http }),
  );
});
afterAll(() => server?.stop());

/** Repeats a request once when the server wants its nonce in the proof, as the library's documentation does. */
async function withNonce<Result>(attempt: () => Promise<Result>): Promise<Result> {
  try {
    return await attempt();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return attempt();
  }
}

async function exchange(
  parameters: Readonly<Record<string, string>> = {},
  options: { readonly DPoP?: oauth.DPoPHandle } = {},
): Promise<oauth.TokenEndpointResponse> {
  const codeVerifier = oauth.generateRandomCodeVerifier();
  const callback = oauth.validateAuthResponse(as, client, await server.signIn(codeVerifier, parameters));
  return withNonce(async () => {
    const request = { ...http, ...options };
    const none = oauth.None();
    const response = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      none,
      callback,
      redirectUri,
      codeVerifier,
      request,
    );
    return oauth.processAuthorizationCodeResponse(as, client, response);
  });
}

function refresh(token: string | undefined, options: { readonly DPoP?: oauth.DPoPHandle } = {}) {
  return withNonce(async () => {
    const request = { ...http, ...options };
    const response = await oauth.refreshTokenGrantRequest(as, client, oauth.None(), String(token), request);
    return oauth.processRefreshTokenResponse(as, client, response);
  });
}

async function introspect(token: string): Promise<oauth.IntrospectionResponse> {
  const authentication = oauth.ClientSecretBasic(apiServer.secret);
  const response = await oauth.introspectionRequest(as, api, authentication, token, http);
  return oauth.processIntrospectionResponse(as, api, response);
}

/** A resource server of the library's own verifies the access token by our published keys. */
async function validate(accessToken: string): Promise<oauth.JWTAccessTokenClaims> {
  const request = new Request(`${server.issuer}/api`, { headers: { authorization: `Bearer ${accessToken}` } });
  return oauth.validateJwtAccessToken(as, request, apiServer.audience, http);
}

describe('discovery', () => {
  it('names every endpoint, and what they support', () => {
    expect(as).toMatchObject({
      issuer: server.issuer,
      token_endpoint: `${server.issuer}/token`,
      revocation_endpoint: `${server.issuer}/revoke`,
      introspection_endpoint: `${server.issuer}/introspect`,
      code_challenge_methods_supported: ['S256'],
      dpop_signing_alg_values_supported: expect.arrayContaining(['ES256', 'EdDSA', 'RS256']),
    });
  });
});

describe('bearer tokens', () => {
  it('code with PKCE, then a chain of refreshes, each access token good for a resource server', async () => {
    let tokens = await exchange();
    expect(tokens).toMatchObject({ token_type: 'bearer', scope: 'notes profile', refresh_token_timeout: 1_209_600 });
    for (let use = 0; use < 3; use++) {
      const next = await refresh(tokens.refresh_token);
      expect(next.refresh_token).not.toBe(tokens.refresh_token);
      expect(await validate(next.access_token)).toMatchObject({ client_id: 'app', sid: tokens['sid'], acr: 'aal1' });
      tokens = next;
    }
  });

  it('a code serves once, and its second use ends what the first one made', async () => {
    const codeVerifier = oauth.generateRandomCodeVerifier();
    const callback = oauth.validateAuthResponse(as, client, await server.signIn(codeVerifier));
    const use = async (): Promise<oauth.TokenEndpointResponse> => {
      const none = oauth.None();
      const response = await oauth.authorizationCodeGrantRequest(
        as,
        client,
        none,
        callback,
        redirectUri,
        codeVerifier,
        http,
      );
      return oauth.processAuthorizationCodeResponse(as, client, response);
    };
    const tokens = await use();
    await expect(use()).rejects.toMatchObject({ error: 'invalid_grant' });
    await expect(refresh(tokens.refresh_token)).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  it('a part of the grant can be asked for', async () => {
    const { refresh_token: token } = await exchange();
    const additionalParameters = { scope: 'notes' };
    const response = await oauth.refreshTokenGrantRequest(as, client, oauth.None(), String(token), {
      ...http,
      additionalParameters,
    });
    expect(await oauth.processRefreshTokenResponse(as, client, response)).toMatchObject({ scope: 'notes' });
  });

  it('revoked is revoked: for the client, and at once for a resource server that introspects', async () => {
    const { access_token: accessToken, refresh_token: refreshToken = '' } = await exchange();
    expect(await introspect(accessToken)).toMatchObject({ active: true, token_type: 'Bearer', client_id: 'app' });
    expect(await introspect(refreshToken)).toMatchObject({ active: true });
    const response = await oauth.revocationRequest(as, client, oauth.None(), refreshToken, http);
    await oauth.processRevocationResponse(response);
    expect(await introspect(accessToken)).toEqual({ active: false });
    expect(await introspect(refreshToken)).toEqual({ active: false });
    await expect(refresh(refreshToken)).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  it('an access token is not said to be revoked when it is not', async () => {
    const { access_token: accessToken } = await exchange();
    const response = await oauth.revocationRequest(as, client, oauth.None(), accessToken, http);
    await expect(oauth.processRevocationResponse(response)).rejects.toMatchObject({ error: 'unsupported_token_type' });
    expect(await introspect(accessToken)).toMatchObject({ active: true });
  });

  it('a wrong secret is told nothing', async () => {
    const { access_token: accessToken } = await exchange();
    const authentication = oauth.ClientSecretBasic('x'.repeat(40));
    const response = await oauth.introspectionRequest(as, api, authentication, accessToken, http);
    await expect(oauth.processIntrospectionResponse(as, api, response)).rejects.toMatchObject({
      code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE',
    });
  });
});

describe.each(['ES256', 'Ed25519', 'RS256', 'PS256'])('DPoP with %s', (alg) => {
  const start = async () => {
    const keys = await oauth.generateKeyPair(alg);
    const DPoP = oauth.DPoP(client, keys);
    return { DPoP, tokens: await exchange({}, { DPoP }) };
  };

  it('binds the session, learns the nonce, and refreshes for as long as it holds the key', async () => {
    const { DPoP, tokens } = await start();
    expect(tokens.token_type).toBe('dpop');
    const jkt = await DPoP.calculateThumbprint();
    for (let use = 0; use < 3; use++) {
      const next = await refresh(tokens.refresh_token, { DPoP });
      expect(next).toMatchObject({ token_type: 'dpop', sid: tokens['sid'] });
      expect(next).not.toHaveProperty('refresh_token');
      expect(await introspect(next.access_token)).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt } });
    }
  });

  it('reaches a resource with the proof, and not without it', async () => {
    const { DPoP, tokens } = await start();
    const url = new URL(`${server.issuer}/api`);
    const response = await withNonce(() =>
      oauth.protectedResourceRequest(tokens.access_token, 'GET', url, undefined, null, { DPoP, ...http }),
    );
    expect(await response.json()).toMatchObject({ sid: tokens['sid'], cnf: { jkt: await DPoP.calculateThumbprint() } });
    const downgraded = oauth.protectedResourceRequest(tokens.access_token, 'GET', url, undefined, null, http);
    await expect(downgraded).rejects.toMatchObject({ status: 401 });
  });

  it('is of no use to a thief who has the token alone', async () => {
    const { DPoP, tokens } = await start();
    await expect(refresh(tokens.refresh_token)).rejects.toMatchObject({ error: 'invalid_dpop_proof' });
    const thiefs = oauth.DPoP(client, await oauth.generateKeyPair(alg));
    await expect(refresh(tokens.refresh_token, { DPoP: thiefs })).rejects.toMatchObject({ error: 'invalid_grant' });
    expect(await refresh(tokens.refresh_token, { DPoP })).toMatchObject({ token_type: 'dpop' });
  });
});

it('a client whose clock is a day off gets in by the nonce', async () => {
  const late: oauth.Client = { ...client, [oauth.clockSkew]: -86_400 };
  const DPoP = oauth.DPoP(late, await oauth.generateKeyPair('ES256'));
  expect(await exchange({}, { DPoP })).toMatchObject({ token_type: 'dpop' });
});
