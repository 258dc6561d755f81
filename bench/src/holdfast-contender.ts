// Holdfast with rotation at every use.
import { createHash, randomBytes } from 'node:crypto';
import { createHoldfast, type Holdfast } from '@holdfast/server';
import { announce, listen, readAssignment } from './contender.ts';

const credentials = { username: 'ada', password: 'correct horse battery' };
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

const { databaseUrl, clients, connections } = readAssignment();
const holdfast = await createHoldfast({
  issuer: 'http://127.0.0.1',
  databaseUrl,
  secret: randomBytes(32).toString('base64url'),
  clients: [{ clientId: 'app', refreshTokenTransport: 'body', scopes: ['api'] }],
  // The others are the defaults: metrics are counted, as in production.
  policy: {
    rotationIntervalMs: 0,
    requestsPerSecond: 0,
    rotationConnections: 4,
    durableConnections: connections - 4,
    // All clients are of one user.
    signInBurstPerAccount: 1_000_000,
    maxDeviceChainsPerUser: 1_000_000,
  },
  logger: quiet,
});
await holdfast.users.create({ ...credentials, name: 'Ada' });
const refreshTokens: string[] = [];
for (let client = 0; client < clients; client++) refreshTokens.push(await signIn(holdfast));
announce({ port: await listen(holdfast.listener), refreshTokens });

async function signIn({ handle }: Holdfast): Promise<string> {
  const codeVerifier = randomBytes(32).toString('base64url');
  const post = async (path: string, form: Readonly<Record<string, string>>): Promise<Record<string, unknown>> => {
    const response = await handle({
      method: 'POST',
      path,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ client_id: 'app', ...form }).toString(),
      remoteAddress: '127.0.0.1',
    });
    if (response?.status !== 200) throw new Error(`${path} answered ${response?.status}: ${response?.body}`);
    return JSON.parse(response.body) as Record<string, unknown>;
  };
  const { authorization_code: code } = await post('/authorize-challenge', {
    ...credentials,
    code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const tokens = await post('/token', {
    grant_type: 'authorization_code',
    code: String(code),
    code_verifier: codeVerifier,
  });
  return String(tokens['refresh_token']);
}
