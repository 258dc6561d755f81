import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHoldfast, type Holdfast, type HoldfastOptions } from '@holdfast/server';
import { createTestDatabase } from '../test-database.ts';

/** Our server behind a real socket, with one user and an API of its own at `/api`. */
export type RealServer = {
  readonly issuer: string;
  readonly holdfast: Holdfast;
  /** The URL that a browser would bring back: the redirect's URL with an authorization code in it. */
  signIn(codeVerifier: string, parameters?: Readonly<Record<string, string>>): Promise<URL>;
  stop(): Promise<void>;
};

export const apiServer = {
  id: 'the api',
  secret: 'a secret of the API: 32 bytes or more',
  audience: 'https://api.example',
};
export const redirectUri = 'https://app.example/callback';
const credentials = { username: 'ada@example.org', password: 'correct horse battery' };

/** Starts a server with a resource server, for which tokens are by default; the issuer's own endpoints do not take those. */
export async function startRealServer(overrides: Partial<HoldfastOptions> = {}): Promise<RealServer> {
  const database = await createTestDatabase();
  let holdfast: Holdfast | null = null;
  const server = createServer((request, response) => {
    if (request.url === '/api' && holdfast) void answerApi(request, response, holdfast, issuer);
    else holdfast?.listener(request, response);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  holdfast = await createHoldfast({
    issuer,
    databaseUrl: database.databaseUrl,
    secret: 'a master secret for tests, 32 bytes or more',
    clients: [{ clientId: 'app', refreshTokenTransport: 'body', scopes: ['notes', 'profile'] }],
    audience: apiServer.audience,
    resourceServers: [{ id: apiServer.id, secret: apiServer.secret }],
    ...overrides,
  });
  const running = holdfast;
  await running.users.create({ ...credentials, name: 'Ada' });
  return {
    issuer,
    holdfast: running,
    signIn: (codeVerifier, parameters = {}) => signIn(issuer, codeVerifier, parameters),
    stop: async () => {
      server.closeAllConnections();
      await new Promise<unknown>((resolve) => void server.close(resolve));
      await running.close();
      await database.drop();
    },
  };
}

async function signIn(
  issuer: string,
  codeVerifier: string,
  parameters: Readonly<Record<string, string>>,
): Promise<URL> {
  const body = new URLSearchParams({
    client_id: 'app',
    ...credentials,
    code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...parameters,
  });
  const response = await fetch(`${issuer}/authorize-challenge`, { method: 'POST', body });
  const answer = (await response.json()) as { readonly authorization_code?: string };
  if (answer.authorization_code === undefined) throw new Error(`sign-in failed: ${JSON.stringify(answer)}`);
  const url = new URL(redirectUri);
  url.searchParams.set('code', answer.authorization_code);
  return url;
}

/** A resource server: the user of a token, or why it is refused. */
async function answerApi(
  { headers, method = 'GET' }: IncomingMessage,
  response: ServerResponse,
  holdfast: Holdfast,
  issuer: string,
): Promise<void> {
  const dpop = typeof headers['dpop'] === 'string' ? headers['dpop'] : undefined;
  const verdict = await holdfast.verifyAccessToken(headers.authorization, { method, url: `${issuer}/api`, dpop });
  if (verdict.ok) {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(verdict.claims));
    return;
  }
  response.writeHead(verdict.status, {
    'www-authenticate': verdict.wwwAuthenticate,
    ...(verdict.dpopNonce !== undefined && { 'dpop-nonce': verdict.dpopNonce }),
  });
  response.end();
}
