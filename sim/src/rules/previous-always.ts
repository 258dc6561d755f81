import { decideBy } from './classic.ts';

export { LAST_GENERATION } from './limits.ts';

/** Always accepts the previous token, from any holder. */
export const decide = decideBy((behind) => (behind === 1 ? 'repeat' : 'end'));
