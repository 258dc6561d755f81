import { describe, expect, it } from 'vitest';
import type { Platform } from '../core/ports.ts';

/** The random values and hashes of a platform, in this process or in a page. */
export type SignInCrypto = {
  /** Returns `count` results of `randomToken`, made at once. */
  tokens(count: number): Promise<readonly string[]>;
  sha256(text: string): Promise<string>;
  /** Returns `count` results of `random`. */
  numbers(count: number): Promise<readonly number[]>;
};

/** Returns the random values and hashes of a platform in this process. */
export const localCrypto = ({ random, randomToken, sha256 }: Platform): Promise<SignInCrypto> =>
  Promise.resolve({
    tokens: (count) => Promise.resolve(Array.from({ length: count }, randomToken)),
    sha256,
    numbers: (count) => Promise.resolve(Array.from({ length: count }, random)),
  });

/**
 * The contract of every platform's random values and hashes: without the verifier, a stolen authorization code is
 * useless.
 */
export function cryptoContract(name: string, open: () => Promise<SignInCrypto>): void {
  describe(`${name} gives a sign-in random values and hashes`, () => {
    it('code verifiers that the server accepts, all different (RFC 7636 §4.1)', async () => {
      const tokens = await (await open()).tokens(1_000);
      // 43 symbols of base64url are 256 bits; 128 symbols are the most that RFC 7636 allows.
      expect(tokens.filter((token) => !/^[\w-]{43,128}$/u.test(token))).toEqual([]);
      expect(new Set(tokens).size).toBe(1_000);
    });

    it('code verifiers that vary at every place, so that no part can be guessed', async () => {
      const tokens = await (await open()).tokens(1_000);
      const length = Math.min(...tokens.map((token) => token.length));
      const symbols = Array.from({ length }, (_, place) => new Set(tokens.map((token) => token[place])).size);
      // The last symbol of 32 bytes carries only 4 bits.
      expect(Math.min(...symbols.slice(0, -1))).toBeGreaterThan(48);
      expect(symbols.at(-1)).toBeGreaterThanOrEqual(16);
    });

    it.each([
      [
        'the verifier of RFC 7636',
        'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
        'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      ],
      ['abc', 'abc', 'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0'],
      ['nothing', '', '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU'],
    ])('the same SHA-256 of %s as the server', async (_name, text, digest) => {
      expect(await (await open()).sha256(text)).toBe(digest);
    });

    it('numbers spread from 0 to less than 1, so that tabs do not all wake at once', async () => {
      const numbers = await (await open()).numbers(1_000);
      expect(numbers.filter((number) => !(number >= 0 && number < 1))).toEqual([]);
      expect(new Set(numbers.map((number) => Math.floor(number * 10))).size).toBe(10);
    });
  });
}
