import { HoldfastServerError } from '../kernel/errors.ts';
import type { KeyRing } from '../kernel/key-ring.ts';
import type { Policy } from '../kernel/policy.ts';
import { audienceKey, type AudienceSet } from '../registrations/audiences.ts';
import type { Client, Clients } from '../registrations/clients.ts';
import { decide } from '../rotation/rotation.ts';
import type { SessionRecord, SessionStore } from '../storage/store.ts';
import type { AccessTokenClaims, AccessTokens } from '../tokens/access-token.ts';
import { parseRefreshToken, REFRESH_TOKEN_PREFIX, type RefreshToken } from '../tokens/refresh-token.ts';

export type IntrospectionRequest = {
  readonly token: string;
  /** The client that the refresh token must belong to; null if the request names none. */
  readonly clientId: string | null;
  /**
   * Audiences of the resource server that asks. The answer covers access tokens for these audiences, and refresh tokens
   * of clients that may ask for one of them.
   */
  readonly audiences: AudienceSet;
  /** Verifies the request's DPoP proof. @returns the thumbprint of its key; null if there is no proof */
  readonly verifyProof: () => string | null;
};

/** Current state of a token. */
export type IntrospectionAnswer =
  | { readonly kind: 'access_token'; readonly claims: AccessTokenClaims }
  | { readonly kind: 'refresh_token'; readonly session: SessionRecord }
  /** Unknown, expired, revoked, spent, or presented by a party that may not use it. The answer does not say which. */
  | { readonly kind: 'inactive' }
  /** The refresh token is bound and the request has no DPoP proof: only the holder of its key gets an answer. */
  | { readonly kind: 'proof_missing' };

export type IntrospectionParts = {
  readonly store: Pick<SessionStore, 'read' | 'findLive'>;
  readonly accessTokens: Pick<AccessTokens, 'read'>;
  readonly clients: Clients;
  readonly keyRing: KeyRing;
  readonly policy: Policy;
};

/**
 * Creates token introspection. It reads the database, so an access token of an ended session is inactive at once.
 *
 * It writes nothing. A refresh token is judged by the same decision as its use, but the session stays as it is: a
 * resource server that asks has not used the token, and must not be able to end a session by asking.
 *
 * @throws HoldfastServerError `unavailable`, `unknown_key`
 * @see RFC 7662
 */
export function createIntrospection(
  parts: IntrospectionParts,
): (request: IntrospectionRequest) => Promise<IntrospectionAnswer> {
  const { store, accessTokens, keyRing } = parts;
  return async (request) => {
    if (!request.token.startsWith(REFRESH_TOKEN_PREFIX)) {
      const claims = await accessTokens.read(request.token);
      const isItsOwn = claims !== null && request.audiences.has(audienceKey(claims.aud));
      const isLive = isItsOwn && (await store.findLive([claims.sid])).length > 0;
      return isLive ? { kind: 'access_token', claims } : { kind: 'inactive' };
    }
    const parsed = parseRefreshToken(request.token, keyRing);
    if (parsed.kind === 'unknown_key') {
      throw new HoldfastServerError('unknown-key', 'a refresh token names a server key that this node does not have');
    }
    return parsed.kind === 'genuine' ? judgeCopy(parsed.token, request, parts) : { kind: 'inactive' };
  };
}

async function judgeCopy(
  copy: RefreshToken,
  { clientId, audiences, verifyProof }: IntrospectionRequest,
  { store, clients, policy }: IntrospectionParts,
): Promise<IntrospectionAnswer> {
  const jkt = verifyProof();
  const [reading] = await store.read([copy]);
  if (!reading?.isSecretGenuine) return { kind: 'inactive' };
  const session = reading.record;
  const client: Client | undefined = clients.get(session.clientId);
  if (!client || ![...client.audiences.keys()].some((key) => audiences.has(key))) return { kind: 'inactive' };
  const outcome = decide(
    session,
    {
      generation: copy.generation,
      nonce: copy.nonce.toString('hex'),
      clientId: clientId ?? session.clientId,
      scope: null,
      jkt,
      isUserActive: false,
      isExtension: false,
    },
    session.nowMs,
    { ...policy, ...client.lifetimes },
  );
  switch (outcome.kind) {
    case 'rotate':
    case 'redeliver':
    case 'accessTokenOnly':
    case 'heal':
      return { kind: 'refresh_token', session };
    case 'refuse':
      return { kind: outcome.reason === 'proof_missing' ? 'proof_missing' : 'inactive' };
    case 'wait':
    case 'revoke':
      return { kind: 'inactive' };
    case 'unavailable':
      throw new HoldfastServerError('unavailable', 'the database is behind a genuine token');
  }
}
