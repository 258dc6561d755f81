import { AUTHORIZATION_CODE } from './authorization-code.ts';
import type { Grant } from './grant.ts';
import { REFRESH_TOKEN } from './refresh-token.ts';

/** Every grant. A new one is a file of this folder and a line here. */
export const GRANTS: readonly Grant[] = [AUTHORIZATION_CODE, REFRESH_TOKEN];
