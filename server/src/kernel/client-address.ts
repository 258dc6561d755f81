import { isIP, isIPv6 } from 'node:net';
import type { HttpRequest } from './http-message.ts';
import { toPlainText } from './plain-text.ts';

/**
 * Returns the key that rate limits count by: the IPv4 address, or the /64 prefix of an IPv6 address, because one
 * subscriber owns at least a /64. Every textual form of an address has the same key. A peer without an address (a local
 * socket) has the empty key.
 *
 * @see RFC 6177 §2, RFC 4291 §2.5.5.2
 */
export function addressKeyOf(address: string): string {
  const zoneAt = address.indexOf('%');
  const plain = zoneAt < 0 ? address : address.slice(0, zoneAt);
  if (isIP(plain) === 4) return plain;
  if (!isIPv6(plain)) return '';
  const groups = expandGroups(plain);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xff_ff;
  if (isMapped) {
    const [high = 0, low = 0] = groups.slice(6);
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
  }
  const prefix = groups.slice(0, 4).map((group) => group.toString(16));
  return `${prefix.join(':')}::/64`;
}

/** The eight groups of a valid IPv6 address. */
function expandGroups(address: string): readonly number[] {
  // The URL parser reads every spelling, also with an embedded IPv4 address, and writes one canonical form.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [head = '', tail] = canonical.split('::');
  const front = parse(head);
  const back = parse(tail ?? '');
  return [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
}

/** Longest stored address: an IPv6 address with an IPv4 ending and a zone, and room for a host's own format. */
const ADDRESS_LENGTH = 64;

/**
 * Returns the address of a request's sender: the peer, or the address that the outermost trusted proxy saw.
 *
 * @param trustedProxies how many proxies in front of this server append to `X-Forwarded-For`; the sender may have made
 *   up the entries before theirs
 */
export function clientAddressOf(
  { headers, remoteAddress }: Pick<HttpRequest, 'headers' | 'remoteAddress'>,
  trustedProxies: number,
): string {
  const peer = toPlainText(remoteAddress, ADDRESS_LENGTH);
  if (trustedProxies === 0) return peer;
  const hops = (headers['x-forwarded-for'] ?? '').split(',').map(stripPort);
  const address = hops[Math.max(0, hops.length - trustedProxies)] ?? '';
  return isIP(address) === 0 || address.length > ADDRESS_LENGTH ? peer : address;
}

/** Some proxies write `192.0.2.1:4711` and `[2001:db8::1]:4711`. */
function stripPort(hop: string): string {
  const trimmed = hop.trim();
  return /^\[([^\]]+)\](?::\d+)?$/.exec(trimmed)?.[1] ?? /^([\d.]+):\d+$/.exec(trimmed)?.[1] ?? trimmed;
}
