import { createHash, randomBytes } from 'node:crypto';
import type { Client } from './clients.ts';
import type { Report } from './events.ts';
import type { KeyRing } from './keys.ts';
import { formatRefreshToken, newNonce, newSid } from './refresh-token.ts';
import type { Sessions } from './sessions.ts';
import type { AuthorizationCodeStore, SessionRecord, SessionStore } from './store.ts';
import type { User } from './users.ts';

/** What a sign-in established. */
export interface SignIn {
  readonly client: Client;
  readonly user: User;
  readonly scope: readonly string[];
  /** PKCE, method S256. */
  readonly codeChallenge: string;
  /** RFC 8176 values. */
  readonly amr: readonly string[];
  readonly acr: string;
  /** The session that the new one is to take over from; it counts only if it is the same user's. */
  readonly replaces: string | null;
}

export interface CodeExchange {
  readonly client: Client;
  readonly code: string;
  readonly codeVerifier: string;
  readonly address: string;
  readonly userAgent: string;
}

export interface AuthorizationCodes {
  /** @throws HoldfastError `unavailable` */
  issue(signIn: SignIn): Promise<string>;
  /**
   * Exchanges a code for a new session.
   *
   * @returns null when the code is unknown, expired, used, another client's, or the verifier is wrong
   * @throws HoldfastError `unavailable`
   */
  exchange(request: CodeExchange): Promise<{ readonly session: SessionRecord; readonly refreshToken: string } | null>;
}

export interface AuthorizationCodesParts {
  readonly codes: AuthorizationCodeStore;
  readonly findLive: SessionStore['findLive'];
  readonly revoke: Sessions['revoke'];
  readonly keyRing: KeyRing;
  readonly report: Report;
}

const CODE_BYTES = 32;

/**
 * Authorization codes: random, stored as a hash, good for one exchange by the client that can show the verifier.
 *
 * @see RFC 6749 §4.1.2, RFC 7636
 */
export function createAuthorizationCodes(parts: AuthorizationCodesParts): AuthorizationCodes {
  const { codes, findLive, revoke, keyRing, report } = parts;
  return {
    issue: async ({ client, user, scope, codeChallenge, amr, acr, replaces }) => {
      const [replaced] = replaces === null ? [] : await findLive([replaces]);
      const code = randomBytes(CODE_BYTES).toString('base64url');
      await codes.insert({
        codeHash: sha256(code),
        clientId: client.clientId,
        sub: user.sub,
        scope,
        codeChallenge,
        amr,
        acr,
        replaces: replaced?.sub === user.sub ? replaced.sid : null,
      });
      return code;
    },
    exchange: async ({ client, code, codeVerifier, address, userAgent }) => {
      const codeHash = sha256(code);
      const record = await codes.find(codeHash);
      if (record === null || record.clientId !== client.clientId) return null;
      // The verifier comes before everything that changes: who has the code alone can neither use it up nor end anything.
      if (sha256(codeVerifier).toString('base64url') !== record.codeChallenge) return null;
      if (record.sid !== null) {
        // Used twice by somebody who could: one of the two has no right to it (RFC 6749 §4.1.2).
        await revoke(record.sid, 'code_reused');
        return null;
      }
      if (record.isExpired) return null;
      const nonce = newNonce();
      const delivery = await codes.exchange(codeHash, { sid: newSid(), nonce, address, userAgent });
      if (delivery === null) return endRacer(codeHash);
      const { record: session, secret } = delivery;
      const { sid, sub, clientId, generation, replaces } = session;
      report({ type: 'session.created', sid, sub, clientId, replaces });
      return { session, refreshToken: formatRefreshToken({ sid, generation, nonce, secret }, keyRing) };
    },
  };

  /** The code was consumed between our reading and our exchange: that is a second use as well. */
  async function endRacer(codeHash: Buffer): Promise<null> {
    const record = await codes.find(codeHash);
    if (record?.sid) await revoke(record.sid, 'code_reused');
    return null;
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
