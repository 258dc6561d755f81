import { HoldfastServerError } from './errors.ts';
import { isUuid, isSubject } from './ids.ts';

/**
 * Checks of the arguments that a host passes in. PostgreSQL refuses some text (NUL, half a surrogate pair) and every id
 * that is no UUID. Its driver's errors may quote the value. Therefore these values are refused here, by argument name.
 */

const FORBIDDEN = /[\p{Cc}\p{Cs}]/u;
/** Most rows of one page. */
const MAXIMUM_LIMIT = 10_000;

/** @throws HoldfastServerError `invalid-argument` unless it is 1 to `length` characters, none of them a control character */
export function checkText(name: string, value: unknown, length: number): void {
  if (typeof value !== 'string' || value === '' || value.length > length || FORBIDDEN.test(value))
    throw invalidArgument(`${name} is 1 to ${length} characters, none of them a control character`);
}

/** @throws HoldfastServerError `invalid-argument` unless it is a UUID */
export function checkId(name: string, value: unknown): void {
  if (typeof value !== 'string' || !isUuid(value)) throw invalidArgument(`${name} is a UUID in lower case`);
}

/** @throws HoldfastServerError `invalid-argument` unless it is a subject */
export function checkSubject(name: string, value: unknown): void {
  if (!isSubject(value)) throw invalidArgument(`${name} is 1 to 255 printable ASCII characters without a space`);
}

/** @throws HoldfastServerError `invalid-argument` unless it is a whole number of rows */
export function checkLimit(value: unknown): void {
  if (!Number.isSafeInteger(value) || Number(value) < 1 || Number(value) > MAXIMUM_LIMIT)
    throw invalidArgument(`limit is a whole number from 1 to ${MAXIMUM_LIMIT}`);
}

/** @throws HoldfastServerError `invalid-argument` unless it is a time */
export function checkTime(name: string, value: unknown): void {
  if (typeof value !== 'number' || !(Math.abs(value) <= 8.64e15))
    throw invalidArgument(`${name} is milliseconds since 1970`);
}

function invalidArgument(message: string): HoldfastServerError {
  return new HoldfastServerError('invalid-argument', message);
}
