import type { HttpResponse, HttpRequest } from '../../../client/src/core/ports.ts';
import type { RejectionReason, TokenResult } from '../../../client/src/core/token-result.ts';
import { parseObject, readTokenResponse } from '../../../client/src/core/wire.ts';
import type { Books } from '../checkers/ledger.ts';
import type { Ground } from '../sandbox/process.ts';
import type { Random } from '../sandbox/random.ts';

/** A server whose refusals do not follow RFC 6749, and the app's own reading of its answers (`classify`). */
export type Dialect = {
  /** Replaces the server's answer by the one that arrives. */
  readonly translate: (answer: HttpResponse, request: HttpRequest) => HttpResponse;
  /** The app's reader of answers; `null`: the app cannot read the dialect. */
  readonly classify: ((answer: HttpResponse) => TokenResult | null) | null;
};

const OVER_STATUS = 440;

/**
 * Marks the answer that completes a sign-in. An app always reads it correctly, because its tokens are the new session.
 */
const BEGINS = 'x-begins';

/** Replaces standard answers by those of the dialect. Only the app knows what they mean. */
function translate(answer: HttpResponse, { body }: HttpRequest): HttpResponse {
  const json = parseObject(answer.body);
  if (body?.includes('grant_type=authorization_code'))
    return { ...answer, headers: { ...answer.headers, [BEGINS]: '1' } };
  if (json?.['error'] === 'invalid_grant')
    return { ...answer, status: OVER_STATUS, body: JSON.stringify({ over: json['reason'] ?? 'revoked' }) };
  return answer.status === 429 ? { ...answer, status: 400, body: '{"later":true}' } : answer;
}

/** Reads an answer of the dialect as the standard one; `null` for an answer that follows the standard. */
function read({ status, headers, body }: HttpResponse): TokenResult | null {
  const json = parseObject(body);
  if (status === OVER_STATUS)
    return readTokenResponse({
      status: 400,
      headers,
      body: JSON.stringify({ error: 'invalid_grant', reason: json?.['over'] }),
    });
  return json?.['later'] === true ? readTokenResponse({ status: 429, headers, body }) : null;
}

/** Results that no app's `classify` should return. */
const NONSENSE: readonly unknown[] = [
  7,
  'rejected',
  [],
  {},
  { kind: 'nonsense' },
  { kind: 'nonsense', retryAfterMs: null },
  { kind: 'tokens' },
  { kind: 'tokens', tokens: {} },
  { kind: 'tokens', tokens: { accessToken: 'nonsense', lifetimeMs: NaN } },
  { kind: 'transient' },
  { kind: 'transient', cause: 'nonsense', retryAfterMs: null },
  { kind: 'transient', cause: 'rate-limited', retryAfterMs: NaN },
  { kind: 'transient', cause: 'rate-limited', retryAfterMs: 'soon' },
  { kind: 'transient', cause: 'nonce-required', retryAfterMs: -1 },
];

/**
 * Errors of an app that reads an answer with tokens. It never invents tokens: no client could tell those from a
 * session.
 */
const DAMAGES: readonly Readonly<Record<string, unknown>>[] = [
  { accessToken: 'nonsense' },
  { accessToken: undefined },
  { refreshToken: null },
  { refreshToken: undefined, sid: undefined, sub: undefined, scope: undefined },
  { sid: 'nonsense' },
  { lifetimeMs: '300' },
  { lifetimeMs: 0 },
  { lifetimeMs: Infinity },
  { sessionLifetimeMs: undefined },
  { sessionLifetimeMs: 'nonsense' },
];

function speakNonsense(answer: HttpResponse, random: Random): TokenResult {
  const meant = read(answer) ?? readTokenResponse(answer);
  if (meant.kind === 'rejected') return { kind: 'rejected', reason: 'nonsense' as RejectionReason };
  if (meant.kind !== 'tokens' || random.chance(0.5)) return random.pick(NONSENSE) as TokenResult;
  return { kind: 'tokens', tokens: { ...meant.tokens, ...random.pick(DAMAGES) } };
}

/** Creates the dialect, with an app that sometimes misreads it. */
export function createDialect({ random, setup }: Ground, books: Books): Dialect {
  const chance = random.fork('dialect');
  const misread = (answer: HttpResponse): TokenResult | null => {
    books.struck('answer misread');
    books.reach('answer misread by the app');
    const how = chance.pick(['nothing', 'throw', 'nonsense', 'nonsense'] as const);
    if (how === 'throw') throw new TypeError('an app that did not expect this answer');
    return how === 'nothing' ? null : speakNonsense(answer, chance);
  };
  return {
    translate,
    classify: (answer) => {
      if (answer.headers[BEGINS]) return null;
      if (chance.chance(setup.faults.answerMisread)) return misread(answer);
      const said = read(answer);
      if (said?.kind === 'rejected') books.reach('end of a session told by the app');
      return said;
    },
  };
}

/** Error codes with which servers refuse a dead refresh token. None of them ends a session. */
const OTHER_WORDS = [
  'invalid_request',
  'invalid_client',
  'invalid_token',
  'unauthorized_client',
  'access_denied',
  'interaction_required',
  'login_required',
  'consent_required',
  'token_expired',
] as const;

/**
 * Creates a server that names the end of a session by another error code, which no app can read, until the faults are
 * over; `null`: the server follows the standard.
 */
export function createOtherWords({ random, setup }: Ground): Dialect | null {
  const chance = random.fork('other words');
  if (!chance.chance(setup.faults.otherWords)) return null;
  const error = chance.pick(OTHER_WORDS);
  return {
    translate: (answer, { body }) => {
      const isRefresh = body?.includes('grant_type=refresh_token');
      const isEnd = isRefresh && parseObject(answer.body)?.['error'] === 'invalid_grant';
      return isEnd && setup.faults.otherWords > 0
        ? { ...answer, status: 400, body: JSON.stringify({ error }) }
        : answer;
    },
    classify: null,
  };
}
