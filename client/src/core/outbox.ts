import type { PendingRevocation } from './ports.ts';

// List operations that all outboxes share.

const isSame =
  (a: PendingRevocation) =>
  (b: PendingRevocation): boolean =>
    a.sid === b.sid && a.refreshToken === b.refreshToken;

/** The list without a session whose end the server has confirmed. */
export const withoutRevocation = (
  pending: readonly PendingRevocation[],
  revocation: PendingRevocation,
): readonly PendingRevocation[] => pending.filter((each) => !isSame(revocation)(each));

/** The list with one more revocation: each session once, the newest last. `everywhere` stays set once it was set. */
export const withRevocation = (
  pending: readonly PendingRevocation[],
  revocation: PendingRevocation,
): readonly PendingRevocation[] => [
  ...withoutRevocation(pending, revocation),
  { ...pending.find(isSame(revocation)), ...revocation },
];
