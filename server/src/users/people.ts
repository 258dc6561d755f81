import type { Report } from '../kernel/events.ts';
import type { KeyRing } from '../kernel/key-ring.ts';
import type { Policy } from '../kernel/policy.ts';
import type { MassEndings } from '../sessions/mass-endings.ts';
import type { Store } from '../storage/store.ts';
import { createPasskeyChallenges } from './passkey-challenges.ts';
import { createPasskeys, type Passkeys } from './passkeys.ts';
import { createPasswordLimits } from './password-limits.ts';
import type { Passwords } from './passwords.ts';
import { createSignInRate, type SignInRate } from './sign-in-rate.ts';
import { createUsers, type PasswordSignIn, type Users } from './users.ts';

export type PeopleParts = {
  readonly store: Pick<Store, 'subjects' | 'users' | 'passkeys' | 'attempts'>;
  readonly keyRing: KeyRing;
  readonly policy: Policy;
  readonly passwords: Passwords;
  readonly report: Report;
  /** True if a password is too well known to be chosen. */
  readonly isKnownPassword: (password: string) => boolean | Promise<boolean>;
  /** Ends the sessions of an intent. */
  readonly endMany: MassEndings['finish'];
};

/** Users and their credentials. */
export type People = {
  readonly users: Users;
  readonly passwordSignIn: PasswordSignIn;
  readonly passkeys: Passkeys;
  readonly signInRate: SignInRate;
};

export function createPeople(parts: PeopleParts): People {
  const { store, keyRing, policy, passwords, report, isKnownPassword, endMany } = parts;
  const passwordLimits = createPasswordLimits(store.attempts, keyRing, policy);
  const challenges = createPasskeyChallenges(keyRing, policy.passkeyChallengeLifetimeSeconds, Date.now);
  return {
    ...createUsers({ store: store.users, passwords, passwordLimits, policy, report, isKnownPassword, endMany }),
    passkeys: createPasskeys({
      store: store.passkeys,
      userHandleOf: store.subjects.userHandleOf,
      challenges,
      policy,
      report,
    }),
    signInRate: createSignInRate(store.attempts, keyRing, policy),
  };
}
