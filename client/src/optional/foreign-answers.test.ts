import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HttpResponse } from '../core/ports.ts';
import { createWorld } from '../testing/world.ts';
import { adopt } from './adopt.ts';
import { foreignTokenResponses } from './foreign-token-responses.ts';

const answer = (body: object): HttpResponse => ({ status: 200, headers: {}, body: JSON.stringify(body) });

const jwt = (claims: object): string => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.sig`;

describe('the lifetime of an access token', () => {
  it.each([
    ['comes from `iat` and `exp` of a JWT', { access_token: jwt({ iat: 1_000, exp: 1_300 }) }, 300_000],
    [
      'comes from a JWT if `expires_in` is no number',
      { access_token: jwt({ iat: 0, exp: 9 }), expires_in: 'soon' },
      9_000,
    ],
    [
      'comes from `expires_in` if the server sends it',
      { access_token: jwt({ iat: 0, exp: 9 }), expires_in: 60 },
      60_000,
    ],
    ['is the default for a JWT without `iat`', { access_token: jwt({ exp: 1_300 }) }, 3_600_000],
    ['is the default for a JWT with `exp` before `iat`', { access_token: jwt({ iat: 9, exp: 1 }) }, 3_600_000],
    ['is the default for a malformed JWT', { access_token: 'a.%.c' }, 3_600_000],
  ])('%s', (_name, body, lifetimeMs) => {
    expect(foreignTokenResponses()(answer(body))).toMatchObject({ kind: 'tokens', tokens: { lifetimeMs } });
  });

  it('comes from a JWT with any other claims', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 1e6 }),
        fc.dictionary(fc.string(), fc.string({ unit: 'grapheme' })),
        (iat, life, others) => {
          const token = jwt({ ...others, iat, exp: iat + life });
          expect(foreignTokenResponses()(answer({ access_token: token }))).toMatchObject({
            tokens: { lifetimeMs: life * 1_000 },
          });
        },
      ),
    );
  });

  it('comes from a JWT that `adopt` takes over from another library', async () => {
    const world = createWorld();
    const { auth } = world.openTab({ readTokenResponse: foreignTokenResponses() });
    const startsAt = world.time.clock.now().wallMs;
    await adopt(auth, { access_token: jwt({ iat: 0, exp: 300 }), refresh_token: 'r' });
    expect(auth.getSnapshot()).toMatchObject({ status: 'active', accessTokenExpiresAtMs: startsAt + 300_000 });
  });
});

it('a result of `classify` whose `words` are no string is ignored', () => {
  const said = { status: 400, headers: {}, body: '{"error":"invalid_request"}' };
  const read = foreignTokenResponses(() => ({
    kind: 'transient',
    cause: 'server-error',
    retryAfterMs: null,
    words: 7 as never,
  }));
  expect(read(said)).toMatchObject({ cause: 'misconfigured', words: 'invalid_request' });
});
