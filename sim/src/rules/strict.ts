import { decideBy } from './classic.ts';

export { LAST_GENERATION } from './limits.ts';

/** Follows RFC 9700 §4.14.2 to the letter: any token that is not the newest is reuse. */
export const decide = decideBy(() => 'end');
