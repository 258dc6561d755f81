import { randomBytes } from 'node:crypto';
import { cookieNameOf } from '../http/refresh-cookies.ts';
import { newSid } from '../kernel/ids.ts';
import { createKeyRing } from '../kernel/key-ring.ts';
import { formatRefreshToken, newNonce } from '../tokens/refresh-token.ts';
import { CREDENTIALS, newVerifier, toTokens, type Answer, type TestServer, type Tokens } from './client.ts';

/** Mints a cookie with a genuine tag whose session has no row. */
export function mintDeadCookie(issuer: string, secret: string): { readonly name: string; readonly value: string } {
  const copy = { sid: newSid(), generation: 0, nonce: newNonce(), secret: randomBytes(16) };
  return { name: cookieNameOf(copy.sid, issuer), value: formatRefreshToken(copy, createKeyRing(secret)) };
}

/** A browser with our cookies and its page's device secret. */
export type TestBrowser = {
  readonly jar: Map<string, string>;
  readonly deviceSecret: string;
  /** Posts as the client `web` with every cookie, and stores the response's cookies. */
  post(path: string, form: Readonly<Record<string, string>>): Promise<Answer>;
  /** Signs in and exchanges the code. Sends the form's `replaces` if set, and the device secret unless it is null. */
  signIn(form?: Readonly<Record<string, string>>, deviceSecret?: string | null): Promise<Tokens>;
  refresh(form?: Readonly<Record<string, string>>): Promise<Answer>;
};

export function openBrowser(server: TestServer): TestBrowser {
  const jar = new Map<string, string>();
  const keep = (fields: readonly string[]): void => {
    for (const field of fields) {
      const [pair = '', ...attributes] = field.split('; ');
      const at = pair.indexOf('=');
      const isCleared = attributes.includes('Max-Age=0');
      if (isCleared) jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
  };
  const browser: TestBrowser = {
    jar,
    deviceSecret: randomBytes(32).toString('base64url'),
    post: async (path, form) => {
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
      const answer = await server.post(path, { client_id: 'web', ...form }, jar.size === 0 ? {} : { cookie });
      keep(answer.cookies);
      return answer;
    },
    signIn: async (form = {}, deviceSecret = browser.deviceSecret) => {
      const { replaces, ...credentials } = form;
      const { verifier, challenge } = newVerifier();
      const { body } = await browser.post('/authorize-challenge', {
        ...CREDENTIALS,
        code_challenge: challenge,
        code_challenge_method: 'S256',
        ...credentials,
      });
      const answer = await browser.post('/token', {
        grant_type: 'authorization_code',
        code: String(body['authorization_code']),
        code_verifier: verifier,
        ...(deviceSecret !== null && { device_secret: deviceSecret }),
        ...(replaces !== undefined && { replaces }),
      });
      if (answer.status !== 200) throw new Error(`sign-in failed: ${JSON.stringify(answer.body)}`);
      return toTokens(answer);
    },
    refresh: (form = {}) => browser.post('/token', { grant_type: 'refresh_token', ...form }),
  };
  return browser;
}
