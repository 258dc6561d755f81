import { randomBytes } from 'node:crypto';

/** Makes a session id: the user's bucket and 120 random bits. @param random 15 bytes */
export function newSid(bucket: number = randomBytes(1).readUInt8(0), random: Buffer = randomBytes(15)): string {
  return formatId(Buffer.concat([Buffer.of(bucket), random]));
}

/** Checks that a value is a UUID in lower case. */
export function isUuid(value: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(value);
}

/** Formats 16 bytes as a UUID. */
export function formatId(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Checks that a value can be a `sub`: 1 to 255 printable ASCII characters without a space, compared byte by byte. */
export function isSubject(sub: unknown): sub is string {
  return typeof sub === 'string' && /^[\x21-\x7e]{1,255}$/.test(sub);
}
