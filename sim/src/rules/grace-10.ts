import { decideBy } from './classic.ts';

export { LAST_GENERATION } from './limits.ts';

/** The previous token is allowed for 10 seconds after a rotation, and answered with the newest. */
export const decide = decideBy((behind, ageMs) => (behind === 1 && ageMs < 10_000 ? 'repeat' : 'end'));
