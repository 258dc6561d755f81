import { createHash, randomBytes } from 'node:crypto';

/** The tokens of a script after signing in as the demo's user with the client `native`. */
export type NativeSession = {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly sid: string;
};

/**
 * Signs in without the client package, as any OAuth client would.
 *
 * @throws Error when one of the two answers is not 200
 */
export async function signInNative(
  url: string,
  credentials: { readonly username: string; readonly password: string },
): Promise<NativeSession> {
  const codeVerifier = randomBytes(32).toString('base64url');
  const challenge = await postForm(`${url}/authorize-challenge`, {
    client_id: 'native',
    username: credentials.username,
    password: credentials.password,
    code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const tokens = await postForm(`${url}/token`, {
    grant_type: 'authorization_code',
    client_id: 'native',
    code: String(challenge['authorization_code']),
    code_verifier: codeVerifier,
  });
  return {
    accessToken: String(tokens['access_token']),
    refreshToken: String(tokens['refresh_token']),
    sid: String(tokens['sid']),
  };
}

/** Uses a refresh token once. The caller looks at the answer. */
export function refreshNative(url: string, refreshToken: string): Promise<Response> {
  const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'native', refresh_token: refreshToken });
  return fetch(`${url}/token`, { method: 'POST', body });
}

async function postForm(url: string, fields: Readonly<Record<string, string>>): Promise<Record<string, unknown>> {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(fields) });
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}
