import type { Revocation } from './ports.ts';

// What every outbox does with its list, wherever it keeps it.

const isSame =
  (a: Revocation) =>
  (b: Revocation): boolean =>
    a.sid === b.sid && a.refreshToken === b.refreshToken;

/** The list without a session of which the server has heard. */
export const withoutRevocation = (pending: readonly Revocation[], revocation: Revocation): readonly Revocation[] =>
  pending.filter((each) => !isSame(revocation)(each));

/** The list with one more: each session once, the newest last. That everywhere was meant is not taken back. */
export const withRevocation = (pending: readonly Revocation[], revocation: Revocation): readonly Revocation[] => [
  ...withoutRevocation(pending, revocation),
  { ...pending.find(isSame(revocation)), ...revocation },
];
