import type { Platform } from '../core/ports.ts';
import { privateFile } from './private-file.ts';
import type { Warn } from './private-path.ts';

type Kept = { readonly deviceSecret: string };

function decode(json: object): Kept | null {
  const { deviceSecret } = json as Partial<Record<keyof Kept, unknown>>;
  return typeof deviceSecret === 'string' && deviceSecret !== '' ? { deviceSecret } : null;
}

/** Stores the device secret in a JSON file that only its owner may read. All processes that name this file share it. */
export function fileDeviceSecret(file: string, warn: Warn): Platform['deviceSecret'] {
  const stored = privateFile(file, decode, warn, () => null);
  return async (candidate) => {
    const kept = await stored.update((before) => (before ? null : { deviceSecret: candidate }));
    return kept?.deviceSecret ?? candidate;
  };
}
