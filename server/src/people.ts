import type { KeyRing } from './keys.ts';
import { createPasskeyChallenges } from './passkey-challenges.ts';
import { createPasskeys } from './passkeys.ts';
import type { Passkeys } from './passkeys.ts';
import { createPasswordLimits } from './password-limits.ts';
import type { Passwords } from './passwords.ts';
import type { Policy } from './policy.ts';
import type { Report } from './events.ts';
import type { Store } from './store.ts';
import { createUsers } from './users.ts';
import type { PasswordSignIn, Users } from './users.ts';

export interface PeopleParts {
  readonly store: Pick<Store, 'users' | 'passkeys' | 'attempts'>;
  readonly keyRing: KeyRing;
  readonly policy: Policy;
  readonly passwords: Passwords;
  readonly report: Report;
}

/** Users and their credentials. */
export interface People {
  readonly users: Users;
  readonly passwordSignIn: PasswordSignIn;
  readonly passkeys: Passkeys;
}

export function createPeople({ store, keyRing, policy, passwords, report }: PeopleParts): People {
  const passwordLimits = createPasswordLimits(store.attempts, keyRing, policy);
  const challenges = createPasskeyChallenges(keyRing, policy.passkeyChallengeLifetimeSeconds, Date.now);
  return {
    ...createUsers({ store: store.users, passwords, passwordLimits, policy, report }),
    passkeys: createPasskeys({ store: store.passkeys, challenges, policy, report }),
  };
}
