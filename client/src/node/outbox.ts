import { withoutRevocation, withRevocation } from '../core/outbox.ts';
import type { Outbox, PendingRevocation } from '../core/ports.ts';
import { privateFile } from './private-file.ts';
import type { Warn } from './private-path.ts';

type Pending = { readonly pending: readonly PendingRevocation[] };

function decodePending(json: object): Pending | null {
  const { pending } = json as { readonly pending?: unknown };
  if (!Array.isArray(pending)) return null;
  const isText = (value: unknown): boolean => value === null || typeof value === 'string';
  const isRevocation = (each: Partial<PendingRevocation> | null): boolean =>
    isText(each?.sid) &&
    isText(each?.refreshToken) &&
    [each?.everywhere, each?.discard].every((mark) => mark === undefined || mark);
  return pending.every(isRevocation) ? { pending: pending as readonly PendingRevocation[] } : null;
}

/** Stores pending revocations in a JSON file that only its owner may read. */
export function fileOutbox(file: string, warn: Warn): Outbox {
  const stored = privateFile(file, decodePending, warn, () => ({ pending: [] }));
  const change = async (
    next: (pending: readonly PendingRevocation[]) => readonly PendingRevocation[],
  ): Promise<void> => {
    await stored.update((before) => ({ pending: next(before?.pending ?? []) }));
  };
  return {
    list: async () => (await stored.read())?.pending ?? [],
    add: (revocation) => change((pending) => withRevocation(pending, revocation)),
    remove: (revocation) => change((pending) => withoutRevocation(pending, revocation)),
  };
}
