type Pattern = readonly [RegExp, string];

/** The first that fits: most browsers name others before themselves. */
const browsers: readonly Pattern[] = [
  [/\bEdg(?:e|A|iOS)?\//u, 'Edge'],
  [/\bOPR\//u, 'Opera'],
  [/\bSamsungBrowser\//u, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\//u, 'Firefox'],
  [/\b(?:Headless)?(?:Chrome|CriOS)\//u, 'Chrome'],
  [/\bVersion\/[\d.]+ (?:Mobile\/\w+ )?Safari\//u, 'Safari'],
];

const systems: readonly Pattern[] = [
  [/\biPhone\b/u, 'iPhone'],
  [/\biPad\b/u, 'iPad'],
  [/\bAndroid\b/u, 'Android'],
  [/\bWindows\b/u, 'Windows'],
  [/\bCrOS\b/u, 'ChromeOS'],
  [/\bMac OS X\b/u, 'Mac'],
  [/\bLinux\b/u, 'Linux'],
];

const find = (patterns: readonly Pattern[], text: string): string | null =>
  patterns.find(([pattern]) => pattern.test(text))?.[1] ?? null;

/** A device in words, from what its browser says of itself: `Firefox on Linux`. What names neither is no browser. */
export function nameDevice(userAgent: string | null): string {
  if (userAgent === null || userAgent.trim() === '') return 'Unknown device';
  const browser = find(browsers, userAgent);
  const system = find(systems, userAgent);
  if (browser !== null) return system === null ? browser : `${browser} on ${system}`;
  return system === null ? `App (${userAgent.split(/[/\s]/u)[0]?.slice(0, 24)})` : `App on ${system}`;
}

/** True for a device that is held in the hand. */
export const isHandheld = (userAgent: string | null): boolean => /\b(?:iPhone|iPad|Android)\b/u.test(userAgent ?? '');
