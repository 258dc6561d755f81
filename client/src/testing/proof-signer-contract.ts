import { createHash, createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProofSigner } from '../core/ports.ts';

/** A decoded proof. */
type Proof = {
  readonly header: Readonly<Record<string, unknown>> & { readonly jwk: JsonWebKey };
  readonly claims: Readonly<Record<string, unknown>>;
  readonly isSigned: boolean;
};

const decode = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());

function read(proof: string): Proof {
  const [head = '', body = '', signature = ''] = proof.split('.');
  const header = decode(head) as Proof['header'];
  const key = createPublicKey({ key: header.jwk, format: 'jwk' });
  const options = { key, dsaEncoding: 'ieee-p1363' } as const;
  const isSigned = verify('sha256', Buffer.from(`${head}.${body}`), options, Buffer.from(signature, 'base64url'));
  return { header, claims: decode(body) as Proof['claims'], isSigned };
}

const nowMs = Date.UTC(2_026, 0, 1, 12, 0, 0, 900);
const request = { method: 'POST', url: 'https://api.example.com/token', accessToken: null, nowMs };

/**
 * The contract of every signer of DPoP proofs. `open` opens the store of one device, as a later start of the program
 * would.
 */
export function proofSignerContract(
  name: string,
  create: () => Promise<{ readonly open: () => Promise<ProofSigner>; readonly close: () => Promise<void> }>,
): void {
  describe(`${name} proves that it has the key`, () => {
    let open: () => Promise<ProofSigner>;
    let close = (): Promise<void> => Promise.resolve();
    beforeEach(async () => {
      ({ open, close } = await create());
    });
    afterEach(() => close());

    it('with a signature of the key in `jwk`, which contains only the public half (RFC 9449 §4.2)', async () => {
      const { header, isSigned } = read(await (await open()).sign(request));
      expect(header).toMatchObject({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty: 'EC', crv: 'P-256' } });
      expect(Object.keys(header.jwk).toSorted()).toEqual(['crv', 'kty', 'x', 'y']);
      expect(isSigned).toBe(true);
    });

    it('for one request, with its method, its URL without query and fragment, and the given time', async () => {
      const signer = await open();
      const url = 'https://api.example.com/notes?secret=1#part';
      const { claims } = read(await signer.sign({ ...request, method: 'GET', url }));
      expect(claims).toMatchObject({ htm: 'GET', htu: 'https://api.example.com/notes' });
      expect(claims['iat']).toBe(Date.UTC(2_026, 0, 1, 12) / 1_000);
      expect(claims).not.toHaveProperty('nonce');
      expect(claims).not.toHaveProperty('ath');
    });

    it('with the server’s nonce and the hash of the access token', async () => {
      const signer = await open();
      signer.onResponse({ url: 'https://other.example.com/', headers: { 'dpop-nonce': 'n-2' }, nowMs });
      signer.onResponse({ url: request.url, headers: { 'dpop-nonce': 'n-1' }, nowMs });
      const { claims } = read(await signer.sign({ ...request, accessToken: 'access-1' }));
      const ath = createHash('sha256').update('access-1').digest('base64url');
      expect(claims).toMatchObject({ nonce: 'n-1', ath });
    });

    it('with a new `jti` in each proof', async () => {
      const signer = await open();
      const proofs = await Promise.all(Array.from({ length: 20 }, () => signer.sign(request)));
      expect(new Set(proofs.map((proof) => read(proof).claims['jti'])).size).toBe(20);
    });

    it('with one key for all tabs or processes that start at once, so that no session loses its key', async () => {
      const signers = await Promise.all(Array.from({ length: 4 }, () => open()));
      const proofs = await Promise.all(signers.map((signer) => signer.sign(request)));
      proofs.push(await (await open()).sign(request));
      expect(new Set(proofs.map((proof) => read(proof).header.jwk.x)).size).toBe(1);
    });
  });
}
