import { hash, verify } from '@node-rs/argon2';
import { HoldfastServerError } from '../kernel/errors.ts';
import type { Policy } from '../kernel/policy.ts';

export type Passwords = {
  /** @throws HoldfastServerError `overloaded` */
  hash(password: string): Promise<string>;
  /**
   * Checks a password. Takes the same time for a user who does not exist or has no password.
   *
   * @throws HoldfastServerError `overloaded`
   */
  verify(passwordHash: string | null, password: string): Promise<boolean>;
};

/**
 * Argon2id, the library's default, with 19 MiB, 2 passes, 1 lane.
 *
 * @see OWASP Password Storage Cheat Sheet; RFC 9106
 */
const ARGON2ID = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/**
 * Hashes and checks passwords with limited concurrency. Each hash costs 19 MiB and a core, and needs no authentication.
 */
export async function createPasswords({
  passwordConcurrency,
  passwordQueueLimit,
}: Pick<Policy, 'passwordConcurrency' | 'passwordQueueLimit'>): Promise<Passwords> {
  const limit = createLimit(passwordConcurrency, passwordQueueLimit);
  // Stands in for the missing hash of an unknown user. No password matches it: it hashes random bytes that are
  // discarded.
  const decoy = await hash(crypto.getRandomValues(new Uint8Array(32)), ARGON2ID);
  return {
    hash: (password) => limit(() => hash(normalizePassword(password), ARGON2ID)),
    verify: async (passwordHash, password) => {
      const isMatch = await limit(() => verify(passwordHash ?? decoy, normalizePassword(password)));
      return isMatch && passwordHash !== null;
    },
  };
}

/**
 * Normalizes a password, so that every keyboard and device yields one spelling.
 *
 * @see NIST SP 800-63B-4 §3.1.1.2
 */
function normalizePassword(password: string): string {
  return password.normalize('NFKC');
}

/** Runs at most `concurrency` tasks at once, lets `queueLimit` more wait in order, and refuses the rest. */
function createLimit(
  concurrency: number,
  queueLimit: number,
): <Result>(task: () => Promise<Result>) => Promise<Result> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running < concurrency) running++;
    else if (waiting.length < queueLimit) await new Promise<void>((resolve) => waiting.push(resolve));
    else throw new HoldfastServerError('overloaded', 'too many passwords are being checked');
    try {
      return await task();
    } finally {
      // Pass the slot to the next task in the queue, if there is one.
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
