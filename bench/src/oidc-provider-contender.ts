// oidc-provider, as its documentation has it run in production: a database adapter, rotation, JWT access tokens.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Provider, type Configuration } from 'oidc-provider';
import { Pool } from 'pg';
import { announce, listen, readAssignment } from './contender.ts';
import { createAdapter, SCHEMA } from './oidc-provider-adapter.ts';

const { databaseUrl, clients, connections } = readAssignment();
// As generous as can be: asynchronous commits too, although a lost rotation would sign its user out here.
const pool = new Pool({ connectionString: databaseUrl, max: connections, options: '-c synchronous_commit=off' });
await pool.query(SCHEMA);

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const resource = 'https://api.example';
const configuration: Configuration = {
  adapter: createAdapter(pool),
  clients: [
    {
      client_id: 'app',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
      redirect_uris: ['https://app.example/callback'],
    },
  ],
  cookies: { keys: [randomBytes(16).toString('hex')] },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kty: 'EC', use: 'sig', alg: 'ES256' }] },
  findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'api',
        audience: resource,
        accessTokenTTL: 900,
        // A JWT is signed and not stored: the cheaper kind, and the one that Holdfast issues.
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  ttl: { AccessToken: 900, RefreshToken: 14 * 86_400, Grant: 14 * 86_400 },
};
const provider = new Provider('http://127.0.0.1', configuration);
const refreshTokens: string[] = [];
for (let client = 0; client < clients; client++) refreshTokens.push(await grantRefreshToken());
const callback = provider.callback();
announce({ port: await listen((request, response) => void callback(request, response)), refreshTokens });

/** The result that a sign-in in a browser would have had. */
async function grantRefreshToken(): Promise<string> {
  const client = await provider.Client.find('app');
  if (client === undefined) throw new Error('the client is not registered');
  const grant = new provider.Grant({ accountId: 'ada', clientId: 'app' });
  grant.addOIDCScope('offline_access');
  grant.addResourceScope(resource, 'api');
  const grantId = await grant.save();
  const refreshToken = new provider.RefreshToken({
    accountId: 'ada',
    client,
    grantId,
    scope: 'offline_access api',
    resource,
    gty: 'authorization_code',
  });
  Object.assign(refreshToken, { rotations: 0, iiat: Math.floor(Date.now() / 1_000) });
  return refreshToken.save();
}
