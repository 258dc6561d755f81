import type { Trial } from './state.ts';
import { canRefresh } from './stored-session.ts';
import { activePhase, observe, type Transition } from './transition.ts';

// Tells two kinds of 401 apart: one that a newer token cures, and one of the endpoint's own, which no refresh cures.

/** How long an API's acceptance of a token counts. */
const ACCEPTED_MS = 10_000;

/** How long an endpoint is taken to refuse every token after it refused a fresh one with a bare 401. */
const REFUSING_MS = 300_000;

/** How long `invalid_token` for a fresh token keeps the same token from being refreshed again for that API. */
const INVALID_MS = 60_000;

/**
 * How far an API's clock may be behind: the most that its `Date` may show, and the lag assumed of a new token without
 * it.
 */
const BEHIND_MAX_MS = 10_000;
const BEHIND_ASSUMED_MS = 3_000;

const VERDICTS_MAX = 99;

/** How long until the token is old enough for the API's clock, in ms; 0: waiting does not help. */
function tooYoungMs({ state, now }: Transition, aheadMs: number | null): number {
  const youngMs = aheadMs ?? BEHIND_ASSUMED_MS + state.tokenSinceMs - now.monotonicMs;
  return youngMs > 0 && youngMs <= BEHIND_MAX_MS ? youngMs : 0;
}

/**
 * Judges the outcome of a request.
 *
 * @returns `null`: no other token would help, so the caller keeps the 401. Otherwise the ms after which to try the same
 * token again; 0: only a newer one helps.
 */
export function judgeTrial(
  turn: Transition,
  { tokenNumber, before, origin, url, verdict, aheadMs }: Trial,
): number | null {
  const { state, now } = turn;
  const held = activePhase(turn);
  const isBare = verdict === 'bare';
  // An acceptance and an explicit `invalid_token` are about one token. A bare 401 blames the endpoint, for every token.
  const acceptance = `${tokenNumber} ${origin}`;
  const suspect = isBare ? url : `${acceptance}!`;
  const keep = (key: string, value: number): void => {
    const known = Object.keys(state.verdicts).length < VERDICTS_MAX && state.verdicts;
    state.verdicts = { ...known, [key]: value };
  };
  const leftMs = (key: string): number => (state.verdicts[key] ?? 0) - now.monotonicMs;
  const note = (key: string, ms: number): void => keep(key, now.monotonicMs + ms);
  const isOfFresh = (before ?? tokenNumber) < tokenNumber;
  if (verdict !== 'accepted' && isOfFresh) {
    note(suspect, isBare ? REFUSING_MS : INVALID_MS);
    // Count the fresh token as accepted: the next refusal there is the endpoint's own. Each fresh token in a row counts
    // for longer.
    if (leftMs(acceptance) <= 0) {
      const quietMs = Math.min(2 * (state.verdicts[origin] || ACCEPTED_MS / 2), REFUSING_MS);
      keep(origin, quietMs);
      note(acceptance, quietMs);
    }
    return null;
  }
  // Ignore an older token: the newer one has told more since.
  if (!held?.access || held.isRefused || tokenNumber !== state.tokenNumber) return 0;
  if (verdict === 'accepted') {
    if (isOfFresh) keep(origin, 0);
    note(acceptance, Math.max(ACCEPTED_MS, Math.min(leftMs(acceptance), INVALID_MS)));
    state.phase = { ...held, freshness: 'verified' };
    if (leftMs(url) > 0) note(url, 0);
    return 0;
  }
  const youngMs = before === null ? tooYoungMs(turn, aheadMs) : 0;
  if (youngMs) return youngMs;
  const isGood = leftMs(acceptance) > 0;
  // Many APIs and proxies send a bare 401. Only an explicit `invalid_token` casts doubt on a token that was accepted a
  // moment ago, or gives up one that cannot be replaced.
  const isOwn = leftMs(suspect) > 0 || !canRefresh(turn, held.stored);
  if (isBare ? isGood || isOwn : isGood && isOwn) return null;
  // Stop using the token only if nothing contradicts `invalid_token`. Otherwise the others go on with it, and a refresh
  // is requested unless one is under way.
  if (!isBare && !isGood) state.phase = { ...held, isRefused: true };
  else if (!state.flight || state.flight.resource) state.wanted ??= 'refused';
  observe(turn, { type: 'token.refused', tokenNumber });
  return 0;
}
