import { decideBy } from './classic.ts';

export { LAST_GENERATION } from './limits.ts';

/** Accepts the previous token for 30 seconds after the last rotation, and answers it with the newest token. */
export const decide = decideBy((behind, ageMs) => (behind === 1 && ageMs < 30_000 ? 'repeat' : 'end'));
