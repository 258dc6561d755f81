/** Parts of user agents and their names; the first that fits counts. */
const systems: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b|\bCFNetwork\/[\d.]+ Darwin\//u, 'iPhone'],
  [/\biPad\b/u, 'iPad'],
  [/\bAndroid\b/u, 'Android'],
  [/\bWindows\b/u, 'Windows'],
  [/\bMac OS X\b/u, 'Mac'],
  [/\bLinux\b/u, 'Linux'],
];

/** A device in words, from what it says of itself. */
export function nameDevice(userAgent: string | null): string {
  if (userAgent === null || userAgent.trim() === '') return 'Unknown device';
  const system = systems.find(([pattern]) => pattern.test(userAgent))?.[1];
  const isBrowser = userAgent.startsWith('Mozilla/');
  if (system === undefined) return `App (${userAgent.split(/[/\s]/u)[0]?.slice(0, 24)})`;
  return isBrowser ? `Browser on ${system}` : `App on ${system}`;
}
