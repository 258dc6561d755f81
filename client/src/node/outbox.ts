import type { Outbox, Revocation } from '../ports.ts';
import { privateFile } from './private-file.ts';
import type { Warn } from './private-path.ts';

type Pending = { readonly pending: readonly Revocation[] };

const isSame = (a: Revocation, b: Revocation): boolean => a.sid === b.sid && a.refreshToken === b.refreshToken;

function decodePending(json: object): Pending | null {
  const { pending } = json as { readonly pending?: unknown };
  if (!Array.isArray(pending)) return null;
  const isText = (value: unknown): boolean => value === null || typeof value === 'string';
  const isRevocation = (each: Partial<Revocation> | null): boolean => isText(each?.sid) && isText(each?.refreshToken);
  return pending.every(isRevocation) ? { pending: pending as readonly Revocation[] } : null;
}

/** Revocations that are still to be delivered, in a JSON file that only its owner may read. */
export function fileOutbox(file: string, warn: Warn): Outbox {
  const stored = privateFile(file, decodePending, warn, () => null);
  const change = async (next: (pending: readonly Revocation[]) => readonly Revocation[]): Promise<void> => {
    await stored.update((before) => ({ pending: next(before?.pending ?? []) }));
  };
  return {
    list: async () => (await stored.read())?.pending ?? [],
    add: (revocation) => change((pending) => [...pending.filter((each) => !isSame(each, revocation)), revocation]),
    remove: (revocation) => change((pending) => pending.filter((each) => !isSame(each, revocation))),
  };
}
