import { createHash, randomBytes } from 'node:crypto';
import type { Report } from '../kernel/events.ts';
import type { KeyRing } from '../kernel/key-ring.ts';
import type { Client } from '../registrations/clients.ts';
import { toSessionCreated } from '../storage/event-store.ts';
import type { AuthorizationCodeStore, DeviceEvidence, SessionRecord, SessionStore } from '../storage/store.ts';
import type { User } from '../storage/user-store.ts';
import { formatRefreshToken, newNonce } from '../tokens/refresh-token.ts';
import type { SessionEndings } from './requests.ts';
import { hashDeviceSecret } from './sign-out.ts';
import { readCopies } from './successor.ts';

/** Result of a sign-in, to be kept with its authorization code. */
export type SignIn = {
  readonly client: Client;
  readonly user: User;
  readonly scope: readonly string[];
  /** PKCE, method S256. */
  readonly codeChallenge: string;
  /** The user's sign-in epoch, as read with the credential. */
  readonly signInEpoch: number;
  /** Thumbprint of the only key that may exchange the code (RFC 9449 §10); null if any may. */
  readonly jkt: string | null;
  /** RFC 8176 values. */
  readonly amr: readonly string[];
  readonly acr: string;
};

export type CodeExchange = {
  readonly client: Client;
  readonly code: string;
  readonly codeVerifier: string;
  /** Thumbprint of the key of a valid DPoP proof, to which the session will be bound; null if there was no proof. */
  readonly jkt: string | null;
  readonly address: string;
  readonly userAgent: string;
  /** The device secret, base64url of 32 random bytes; null if the exchange has none. */
  readonly deviceSecret: string | null;
  /** The session that the new one replaces; null if none is named. */
  readonly replaces: string | null;
  /** Refresh tokens in the request's cookies or `replaces_token`. A genuine one of the chain proves the device. */
  readonly copies: readonly string[];
};

export type ExchangeAnswer =
  | { readonly kind: 'exchanged'; readonly session: SessionRecord; readonly refreshToken: string }
  /**
   * `code`: unknown, expired, used, another client's, or the verifier is wrong. Only a used code ends a session: its
   * own. `signed_out`: the device was signed out after the code was issued.
   */
  | { readonly kind: 'refused'; readonly reason: 'code' | 'wrong_key' | 'proof_missing' | 'signed_out' }
  /** The user, or the browser, has no room, and this sign-in may end no session to make room. */
  | { readonly kind: 'too_many_sessions' }
  /** The account signs in too often. */
  | { readonly kind: 'delayed'; readonly sub: string; readonly retryAfterMs: number };

export type AuthorizationCodes = {
  /** Issues a code for a sign-in. @throws HoldfastServerError `unavailable` */
  issue(signIn: SignIn): Promise<string>;
  /**
   * Exchanges a code for a new session.
   *
   * @throws HoldfastServerError `unavailable`
   */
  exchange(request: CodeExchange): Promise<ExchangeAnswer>;
};

export type AuthorizationCodesParts = {
  readonly codes: AuthorizationCodeStore;
  readonly store: SessionStore;
  readonly revoke: SessionEndings['revoke'];
  readonly keyRing: KeyRing;
  readonly report: Report;
};

const CODE_BYTES = 32;

/**
 * Issues and exchanges authorization codes. A code is random, stored as a hash, and good for one exchange by the client
 * that has the PKCE verifier.
 *
 * @see RFC 6749 §4.1.2, RFC 7636
 */
export function createAuthorizationCodes(parts: AuthorizationCodesParts): AuthorizationCodes {
  const { codes, revoke, keyRing, report } = parts;
  return {
    issue: async ({ client, user, signInEpoch, scope, codeChallenge, jkt, amr, acr }) => {
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
      });
      return code;
    },
    exchange: async (request) => {
      const { client, jkt, address, userAgent } = request;
      const codeHash = sha256(request.code);
      const record = await codes.find(codeHash);
      if (record === null || record.clientId !== client.clientId) return refused('code');
      // Check the verifier before any change: an attacker with the code alone can neither consume it nor end a session.
      if (sha256(request.codeVerifier).toString('base64url') !== record.codeChallenge) return refused('code');
      // Check the key before any change too, for the same reason.
      if (record.jkt !== null && record.jkt !== jkt) return refused(jkt === null ? 'proof_missing' : 'wrong_key');
      if (record.sid !== null) {
        // The code and its verifier were used twice, so one of the two parties is an attacker (RFC 6749 §4.1.2).
        await revoke(record.sid, 'code_reused', { address });
        return refused('code');
      }
      if (record.isExpired) return refused('code');
      const nonce = newNonce();
      const device = await readDevice(request, parts);
      const result = await codes.exchange(codeHash, {
        jkt,
        lifetimes: client.lifetimes,
        nonce,
        address,
        userAgent,
        device,
      });
      if (result.kind === 'refused' && result.reason === 'code') return endRacer(codeHash, address);
      if (result.kind !== 'exchanged') return result;
      for (const fact of result.ended) report(fact);
      const { record: session, secret } = result.delivery;
      const { sid, generation } = session;
      report(toSessionCreated(session, address));
      const refreshToken = formatRefreshToken({ sid, generation, nonce, secret }, keyRing);
      return { kind: 'exchanged', session, refreshToken };
    },
  };

  /** Ends the session of a code that another request consumed after our reading: this is a second use too. */
  async function endRacer(codeHash: Buffer, address: string): Promise<ExchangeAnswer> {
    const record = await codes.find(codeHash);
    if (record?.sid) await revoke(record.sid, 'code_reused', { address });
    return refused('code');
  }
}

function refused(reason: 'code' | 'wrong_key' | 'proof_missing'): ExchangeAnswer {
  return { kind: 'refused', reason };
}

async function readDevice(
  { deviceSecret, replaces, copies }: CodeExchange,
  parts: AuthorizationCodesParts,
): Promise<DeviceEvidence> {
  const genuine = await readCopies(copies, parts);
  return {
    secretHash: deviceSecret === null ? null : hashDeviceSecret(deviceSecret),
    replaces,
    copiesOf: genuine.map(({ sid }) => sid),
  };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
