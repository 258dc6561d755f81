import type { Mutant } from './mutant.ts';

const FLIGHT = 'client/src/core/refresh-flight.ts';
const SESSION = 'client/src/core/session.ts';
const LIFECYCLE = 'client/src/core/lifecycle.ts';
const WAITERS = 'client/src/core/waiters.ts';
const VAULT = 'client/src/core/vault-replies.ts';

/** Mutants of how the client hands out tokens: with a store that refuses or has changed, and by resource. */
export const STORE_MUTANTS: readonly Mutant[] = [
  {
    name: 'refusing-store-is-waited-for',
    what: 'a request without a token waits for a store that only a person can mend',
    patches: [
      {
        file: SESSION,
        find: "if (state.vaultError && phase.kind !== 'reauthentication-required' && !state.storing)",
        replace: "if (state.vaultError && phase.kind === 'signed-out')",
      },
    ],
  },
  {
    name: 'refusing-store-withholds-tokens',
    what: 'a valid token is not handed out while the store refuses',
    patches: [
      {
        file: SESSION,
        find: 'if (access && tokenNumber > newerThan && !isKept)',
        replace: 'if (access && tokenNumber > newerThan && !isKept && !state.vaultError)',
      },
      {
        file: SESSION,
        find: 'if (hasToken) settleWaiters(turn);',
        replace: 'if (!state.vaultError && hasToken) settleWaiters(turn);',
      },
    ],
  },
  {
    name: 'resource-token-replaces-own',
    what: "a token for a resource takes the place of the session's own",
    patches: [
      {
        file: FLIGHT,
        find: "? holdStored({ ...answered.stored, access: stored.access }, 'verified', sentAt)",
        replace: '? answered',
      },
    ],
  },
  {
    name: 'resource-token-for-another',
    what: 'a token for one resource is handed to a request that names another',
    patches: [
      {
        file: WAITERS,
        find: '(resource ? resourceTokens[resource] : access)',
        replace: '(resource ? Object.values(resourceTokens)[0] : access)',
      },
    ],
  },
  {
    name: 'news-is-heard-late',
    what: 'a token is handed out between the news of a write by another tab and the look into the store',
    patches: [{ file: SESSION, find: '    state.knownUntil = now;\n', replace: '' }],
  },
  {
    name: 'unread-store-is-known',
    what: 'a store that could not be read is known without end, and not for twice the back-off',
    patches: [{ file: VAULT, find: 'after(now, parkedMs * 2)', replace: 'after(now, Infinity)' }],
  },
  {
    name: 'late-look-is-known',
    what: 'a look into the store that is late counts before its answer has come',
    patches: [
      {
        file: SESSION,
        find: 'if (isStoreKnown(turn)) state.knownUntil = state.syncAt;',
        replace: 'state.knownUntil = state.syncAt;',
      },
    ],
  },
  {
    name: 'adoption-grants-at-once',
    what: 'the record of another sign-in hands its token out at once, also if it was read before a freeze',
    patches: [
      {
        file: LIFECYCLE,
        find: '    helpWaiters(turn);\n  }\n',
        replace: '    helpWaiters(turn);\n  }\n  const isAnother = !isSameSession;\n',
      },
      {
        file: LIFECYCLE,
        find: '    state.jitter = (state.jitter * 997) % 1;\n  }\n',
        replace: '    state.jitter = (state.jitter * 997) % 1;\n  }\n  if (isAnother) settleWaiters(turn);\n',
      },
      {
        file: LIFECYCLE,
        find: 'import { helpWaiters, failWaiters }',
        replace: 'import { helpWaiters, failWaiters, settleWaiters }',
      },
    ],
  },
];
