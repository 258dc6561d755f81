import { generateKeyPairSync, randomUUID, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { Fetch } from '../kernel/fetch-json.ts';
import { signJws } from '../kernel/jws.ts';
import { athOf, createProver } from './proof.ts';

export const TOKEN_ISSUER = 'https://id.example';
export const AUDIENCE = 'https://api.example';

type Json = Readonly<Record<string, unknown>>;

/** A minimal authorization server that signs any token. */
export type TestIssuer = {
  readonly fetch: Fetch;
  /** The fetched paths. */
  readonly fetched: string[];
  /** The keys of the key set; a test may change them. */
  readonly keys: JsonWebKey[];
  readonly kid: string;
  readonly publicKey: KeyObject;
  /** A valid access token with overrides; undefined leaves a member out. */
  token(claims?: Json, header?: Json): string;
  /** Makes the server reachable or unreachable. */
  setReachable(isReachable: boolean): void;
};

export function createTestIssuer(): TestIssuer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = 'current';
  const keys: JsonWebKey[] = [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }];
  const fetched: string[] = [];
  let isReachable = true;
  const documents: Readonly<Record<string, () => object>> = {
    '/.well-known/oauth-authorization-server': () => ({
      issuer: TOKEN_ISSUER,
      jwks_uri: `${TOKEN_ISSUER}/.well-known/jwks.json`,
    }),
    '/.well-known/jwks.json': () => ({ keys }),
  };
  return {
    fetched,
    keys,
    kid,
    publicKey,
    setReachable: (reachable) => {
      isReachable = reachable;
    },
    fetch: async (url) => {
      const { pathname } = new URL(url);
      fetched.push(pathname);
      const document = documents[pathname];
      if (!isReachable) throw new TypeError('fetch failed');
      return document === undefined ? new Response('{}', { status: 404 }) : Response.json(document());
    },
    token: (claims = {}, header = {}) => {
      const input = encodeJwt({ alg: 'ES256', typ: 'at+jwt', kid, ...header }, { ...soundClaims(), ...claims });
      return `${input}.${signJws('ES256', privateKey, input).toString('base64url')}`;
    },
  };
}

function soundClaims(): Json {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  return {
    iss: TOKEN_ISSUER,
    aud: AUDIENCE,
    sub: randomUUID(),
    sid: randomUUID(),
    jti: randomUUID(),
    client_id: 'app',
    iat: nowSeconds,
    exp: nowSeconds + 900,
    scope: 'notes profile',
    auth_time: nowSeconds - 100,
    amr: ['pwd'],
    acr: 'aal1',
  };
}

/** `BASE64URL(header).BASE64URL(claims)`. */
export function encodeJwt(header: object, claims: object): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode(header)}.${encode(claims)}`;
}

/** A client's key, which makes DPoP proofs. */
export type TestProofKey = {
  readonly jkt: string;
  prove(request: { readonly method: string; readonly url: string; readonly token: string }, claims?: Json): string;
};

export function createTestProofKey(): TestProofKey {
  const prover = createProver();
  return {
    jkt: prover.jkt,
    prove: ({ method, url, token }, claims = {}) =>
      prover.prove({ htm: method, htu: url, ath: athOf(token), ...claims }),
  };
}
