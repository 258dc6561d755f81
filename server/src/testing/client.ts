import { createHash, randomBytes } from 'node:crypto';
import { createHoldfast, type Holdfast, type HoldfastOptions } from '../holdfast.ts';
import type { HoldfastEvent } from '../kernel/events.ts';
import type { HttpResponse } from '../kernel/http-message.ts';

export const ISSUER = 'https://id.example';
export const SECRET = 'a master secret for tests, 32 bytes or more';
export const CREDENTIALS = { username: 'ada@example.org', password: 'correct horse battery' };

/** A server under test, and the events that it reported. */
export type TestServer = {
  readonly holdfast: Holdfast;
  readonly events: HoldfastEvent[];
  /** Posts a form with the headers that a browser's page of the issuer would send; `headers` overrides them. */
  post(
    path: string,
    form: Readonly<Record<string, string>> | string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  /** Requests a resource with an access token. */
  ask(
    method: string,
    path: string,
    accessToken: string | null,
    form?: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  /**
   * Signs the test user in and exchanges the code.
   *
   * @param form parameters of the challenge, except `device_secret`, `replaces` and `replaces_token`, which go to the
   *   exchange, and `cookie`, which is its header
   */
  signIn(clientId?: string, form?: Readonly<Record<string, string>>): Promise<Tokens>;
  /** Refreshes as the `native` client. */
  refresh(refreshToken: string, form?: Readonly<Record<string, string>>): Promise<Answer>;
  /** Moves every stored time of a session into the past, as if so much time had passed. */
  letTimePass(sid: string, milliseconds: number): Promise<void>;
  /** Changes columns of a session's row. */
  alter(sid: string, assignment: string): Promise<void>;
};

export type Answer = {
  readonly status: number;
  readonly headers: HttpResponse['headers'];
  readonly body: Readonly<Record<string, unknown>>;
  readonly cookies: readonly string[];
};

export type Tokens = {
  readonly sid: string;
  readonly deviceId: string;
  readonly sequence: number;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** `name=value` of the cookie, for clients that use cookies. */
  readonly cookie: string;
};

export function serverOptions(databaseUrl: string): HoldfastOptions {
  return {
    issuer: ISSUER,
    databaseUrl,
    secret: SECRET,
    clients: [
      { clientId: 'native', refreshTokenTransport: 'body', scopes: ['notes', 'profile'] },
      { clientId: 'other', refreshTokenTransport: 'body', scopes: ['notes'] },
      { clientId: 'web', refreshTokenTransport: 'cookie', scopes: ['notes'], origins: ['https://app.example'] },
    ],
    // Tests sign one user in many times at once, which looks like guessing. A fast machine also sends more requests
    // from one address than the default allows.
    policy: {
      passwordAttemptsPerAccount: 1_000,
      passwordAttemptsPerAddress: 1_000,
      requestsPerSecond: 0,
      signInBurstPerAccount: 10_000,
    },
    logger: { info: () => {}, warn: () => {}, error: () => {} },
  };
}

/** Starts a server that has the test user. */
export async function startTestServer(
  databaseUrl: string,
  overrides: Partial<HoldfastOptions> = {},
): Promise<TestServer> {
  const events: HoldfastEvent[] = [];
  const options = { ...serverOptions(databaseUrl), onEvent: (event: HoldfastEvent) => events.push(event) };
  const policy = { ...options.policy, ...overrides.policy };
  const holdfast = await createHoldfast({ ...options, ...overrides, policy });
  if ((await holdfast.users.findByUsername(CREDENTIALS.username)) === null) {
    await holdfast.users.create({ ...CREDENTIALS, name: 'Ada' });
  }
  const post: TestServer['post'] = async (path, form, headers = {}) =>
    toAnswer(
      await holdfast.handle({
        method: 'POST',
        path,
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'holdfast-request': '1', ...headers },
        body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
        remoteAddress: '192.0.2.1',
      }),
    );
  const ask: TestServer['ask'] = async (method, path, accessToken, form = {}, headers = {}) =>
    toAnswer(
      await holdfast.handle({
        method,
        path: path.split('?')[0] ?? path,
        query: path.split('?')[1] ?? '',
        headers: {
          ...(method !== 'GET' && { 'content-type': 'application/x-www-form-urlencoded' }),
          ...(accessToken !== null && { authorization: `Bearer ${accessToken}` }),
          ...headers,
        },
        body: new URLSearchParams(form).toString(),
        remoteAddress: '192.0.2.1',
      }),
    );
  const alter: TestServer['alter'] = async (sid, assignment) => {
    await holdfast.database.query(`UPDATE holdfast.sessions SET ${assignment} WHERE id = $1`, [sid]);
  };
  return {
    holdfast,
    events,
    post,
    ask,
    alter,
    signIn: (clientId = 'native', form = {}) => signIn(post, clientId, form),
    refresh: (refreshToken, form = {}) =>
      post('/token', { client_id: 'native', grant_type: 'refresh_token', refresh_token: refreshToken, ...form }),
    letTimePass: (sid, milliseconds) => {
      const past = (column: string): string => `${column} = ${column} - interval '${milliseconds} ms'`;
      return alter(sid, ['delivered_at', 'created_at', 'idle_expires_at', 'expires_at'].map(past).join(', '));
    },
  };
}

async function signIn(
  post: TestServer['post'],
  clientId: string,
  form: Readonly<Record<string, string>>,
): Promise<Tokens> {
  const { verifier, challenge } = newVerifier();
  const { device_secret, replaces, replaces_token, cookie, ...challengeForm } = form;
  const { body } = await post('/authorize-challenge', {
    client_id: clientId,
    ...CREDENTIALS,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...challengeForm,
  });
  const exchange = {
    client_id: clientId,
    grant_type: 'authorization_code',
    code: String(body['authorization_code']),
    code_verifier: verifier,
    ...(device_secret !== undefined && { device_secret }),
    ...(replaces !== undefined && { replaces }),
    ...(replaces_token !== undefined && { replaces_token }),
  };
  const answer = await post('/token', exchange, cookie === undefined ? {} : { cookie });
  if (answer.status !== 200) throw new Error(`sign-in failed: ${JSON.stringify([body, answer.body])}`);
  return toTokens(answer);
}

export function newVerifier(): { readonly verifier: string; readonly challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

export function toTokens({ body, cookies }: Answer): Tokens {
  return {
    sid: String(body['sid']),
    deviceId: String(body['device_id']),
    sequence: Number(body['device_sequence']),
    accessToken: String(body['access_token']),
    refreshToken: String(body['refresh_token']),
    cookie: cookies[0]?.split(';')[0] ?? '',
  };
}

function toAnswer(response: HttpResponse | null): Answer {
  if (response === null) throw new Error('the path is not ours');
  const cookies = response.headers['set-cookie'] ?? [];
  return {
    status: response.status,
    headers: response.headers,
    body: response.body === '' ? {} : (JSON.parse(response.body) as Answer['body']),
    cookies: typeof cookies === 'string' ? [cookies] : cookies,
  };
}
