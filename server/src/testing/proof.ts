import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';

/** A client's key that makes DPoP proofs, valid unless overridden. */
export type TestProver = {
  /** RFC 7638 thumbprint. */
  readonly jkt: string;
  readonly publicJwk: Readonly<Record<string, unknown>>;
  readonly privateJwk: Readonly<Record<string, unknown>>;
  prove(claims: ProofClaims, header?: Readonly<Record<string, unknown>>): string;
};

/** `undefined` leaves a claim out. */
export type ProofClaims = {
  readonly htm?: string | undefined;
  readonly htu?: string | undefined;
  readonly [claim: string]: unknown;
};

/** Creates a new ES256 key. */
export function createProver(): TestProver {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const publicJwk = { kty: 'EC', crv: 'P-256', x, y };
  return {
    publicJwk,
    privateJwk: { ...privateKey.export({ format: 'jwk' }) },
    jkt: createHash('sha256').update(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`).digest('base64url'),
    prove: (claims, header = {}) => {
      const protectedHeader = { typ: 'dpop+jwt', alg: 'ES256', jwk: publicJwk, ...header };
      const payload = { jti: randomUUID(), iat: Math.floor(Date.now() / 1_000), htm: 'POST', ...claims };
      const signed = `${encode(protectedHeader)}.${encode(payload)}`;
      const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${signed}.${signature.toString('base64url')}`;
    },
  };
}

/** Computes the `ath` of an access token. */
export function athOf(accessToken: string): string {
  return createHash('sha256').update(accessToken).digest('base64url');
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
