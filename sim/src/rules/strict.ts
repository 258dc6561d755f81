import { decideBy } from './classic.ts';

export { LAST_GENERATION } from './limits.ts';

/** RFC 9700 §4.14.2 to the letter: whatever is not the newest is reuse. */
export const decide = decideBy(() => 'end');
