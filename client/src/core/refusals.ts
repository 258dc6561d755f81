import type { Trial } from './state.ts';
import { canRefresh } from './stored-session.ts';
import { activePhase, observe, type Transition } from './transition.ts';

// A 401 is the token's, so that a newer one helps, or the endpoint's own, which no refresh cures.

/** For so long an API that has accepted a token is not asked again whether it does. */
const ACCEPTED_MS = 10_000;

/** For so long an endpoint that has refused a fresh token without a word is believed to refuse whatever it gets. */
const REFUSING_MS = 300_000;

/** For so long an endpoint that has said `invalid_token` of a fresh token leads to no refresh of the same token. */
const INVALID_MS = 60_000;

/** How far the clock of an API may be behind: what it says of itself, or else what is assumed of a token that was just come by. */
const BEHIND_MAX_MS = 10_000;
const BEHIND_ASSUMED_MS = 3_000;

const VERDICTS_MAX = 99;

/** For how long the token is too young for the API's clock, in ms; 0: it is not. */
function tooYoungMs({ state, now }: Transition, aheadMs: number | null): number {
  const youngMs = aheadMs ?? BEHIND_ASSUMED_MS + state.tokenSinceMs - now.monotonicMs;
  return youngMs > 0 && youngMs <= BEHIND_MAX_MS ? youngMs : 0;
}

/**
 * Judges what became of a request. `null`: it is the caller's, for no other token would help. Else after how many ms the same token
 * is to be tried again; 0: only a newer one helps.
 */
export function judgeTrial(
  turn: Transition,
  { generation, before, origin, url, verdict, aheadMs }: Trial,
): number | null {
  const { state, now } = turn;
  const held = activePhase(turn);
  const isBare = verdict === 'bare';
  // An acceptance and an explicit word are about one token; without a word the endpoint is to blame, whichever the token.
  const acceptance = `${generation} ${origin}`;
  const suspect = isBare ? url : `${acceptance}!`;
  const keep = (key: string, value: number): void => {
    const known = Object.keys(state.verdicts).length < VERDICTS_MAX && state.verdicts;
    state.verdicts = { ...known, [key]: value };
  };
  const leftMs = (key: string): number => (state.verdicts[key] ?? 0) - now.monotonicMs;
  const note = (key: string, ms: number): void => keep(key, now.monotonicMs + ms);
  const isOfFresh = (before ?? generation) < generation;
  if (verdict !== 'accepted' && isOfFresh) {
    note(suspect, isBare ? REFUSING_MS : INVALID_MS);
    // The fresh token counts as accepted: the next refusal there is the endpoint's own. Each fresh token in a row counts for longer.
    if (leftMs(acceptance) <= 0) {
      const quietMs = Math.min(2 * (state.verdicts[origin] || ACCEPTED_MS / 2), REFUSING_MS);
      keep(origin, quietMs);
      note(acceptance, quietMs);
    }
    return null;
  }
  // Of an older token the newer one has told more since.
  if (!held?.access || held.isRefused || generation !== state.generation) return 0;
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
  // Many APIs and proxies send a bare 401. Only an explicit `invalid_token` puts a token in doubt that was accepted a moment ago, or
  // gives up one that cannot be replaced.
  const isOwn = leftMs(suspect) > 0 || !canRefresh(turn, held.stored);
  if (isBare ? isGood || isOwn : isGood && isOwn) return null;
  // The others go on with it, unless the word is all that is known. A refresh that is under way does.
  if (!isBare && !isGood) state.phase = { ...held, isRefused: true };
  else if (!state.flight || state.flight.resource) state.wanted ??= 'refused';
  observe(turn, { type: 'token.refused', generation });
  return 0;
}
