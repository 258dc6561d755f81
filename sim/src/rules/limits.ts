/** The last generation, as in the server's own decision. */
export const LAST_GENERATION = 2 ** 31 - 1;
