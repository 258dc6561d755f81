import { createHash, randomBytes } from 'node:crypto';
import type { Client } from './clients.ts';
import { toSessionCreated } from './event-log.ts';
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
  /** The user's, as read with the credential. */
  readonly signInEpoch: number;
  /** The only key that may exchange the code (RFC 9449 §10); null when any may. */
  readonly jkt: string | null;
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
  /** Thumbprint of the key of a valid DPoP proof, to which the session is then bound; null when there was no proof. */
  readonly jkt: string | null;
  readonly address: string;
  readonly userAgent: string;
}

export type ExchangeAnswer =
  | { readonly kind: 'exchanged'; readonly session: SessionRecord; readonly refreshToken: string }
  /** `code`: unknown, expired, used, another client's, or the verifier is wrong. Only that may have ended anything. */
  | { readonly kind: 'refused'; readonly reason: 'code' | 'wrong_key' | 'proof_missing' };

export interface AuthorizationCodes {
  /** @throws HoldfastError `unavailable` */
  issue(signIn: SignIn): Promise<string>;
  /**
   * Exchanges a code for a new session.
   *
   * @throws HoldfastError `unavailable`
   */
  exchange(request: CodeExchange): Promise<ExchangeAnswer>;
}

export interface AuthorizationCodesParts {
  readonly codes: AuthorizationCodeStore;
  readonly findOwner: SessionStore['findOwner'];
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
  const { codes, findOwner, revoke, keyRing, report } = parts;
  return {
    issue: async ({ client, user, signInEpoch, scope, codeChallenge, jkt, amr, acr, replaces }) => {
      // A session that has ended is replaced as well: its device's row goes on. Another user's is not.
      const isOwn = replaces !== null && (await findOwner(replaces)) === user.sub;
      const code = randomBytes(CODE_BYTES).toString('base64url');
      await codes.insert({
        codeHash: sha256(code),
        clientId: client.clientId,
        sub: user.sub,
        signInEpoch,
        scope,
        codeChallenge,
        jkt,
        amr,
        acr,
        replaces: isOwn ? replaces : null,
      });
      return code;
    },
    exchange: async ({ client, code, codeVerifier, jkt, address, userAgent }) => {
      const codeHash = sha256(code);
      const record = await codes.find(codeHash);
      if (record === null || record.clientId !== client.clientId) return refused('code');
      // The verifier comes before everything that changes: who has the code alone can neither use it up nor end anything.
      if (sha256(codeVerifier).toString('base64url') !== record.codeChallenge) return refused('code');
      // So does the key: whoever lacks it changes nothing either.
      if (record.jkt !== null && record.jkt !== jkt) return refused(jkt === null ? 'proof_missing' : 'wrong_key');
      if (record.sid !== null) {
        // Used twice by somebody who could: one of the two has no right to it (RFC 6749 §4.1.2).
        await revoke(record.sid, 'code_reused', { address });
        return refused('code');
      }
      if (record.isExpired) return refused('code');
      const nonce = newNonce();
      const delivery = await codes.exchange(codeHash, {
        sid: newSid(),
        jkt,
        lifetimes: client.lifetimes,
        nonce,
        address,
        userAgent,
      });
      if (delivery === null) return endRacer(codeHash, address);
      const { record: session, secret } = delivery;
      const { sid, generation } = session;
      report(toSessionCreated(session, address));
      const refreshToken = formatRefreshToken({ sid, generation, nonce, secret }, keyRing);
      return { kind: 'exchanged', session, refreshToken };
    },
  };

  /** The code was consumed between our reading and our exchange: that is a second use as well. */
  async function endRacer(codeHash: Buffer, address: string): Promise<ExchangeAnswer> {
    const record = await codes.find(codeHash);
    if (record?.sid) await revoke(record.sid, 'code_reused', { address });
    return refused('code');
  }
}

function refused(reason: 'code' | 'wrong_key' | 'proof_missing'): ExchangeAnswer {
  return { kind: 'refused', reason };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
