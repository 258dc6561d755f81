import { decideBy } from './classic.ts';

export { LAST_GENERATION } from './limits.ts';

/** The previous token is always allowed, whoever presents it. */
export const decide = decideBy((behind) => (behind === 1 ? 'repeat' : 'end'));
