import { CLIENT_MUTANTS } from './client-mutants.ts';
import type { Mutant } from './mutant.ts';
import { REFUSAL_MUTANTS } from './refusal-mutants.ts';
import { SERVER_MUTANTS } from './server-mutants.ts';
import { STORE_MUTANTS } from './store-mutants.ts';

/** Mutants that the simulator must catch. */
export const MUTANTS: readonly Mutant[] = [...CLIENT_MUTANTS, ...STORE_MUTANTS, ...REFUSAL_MUTANTS, ...SERVER_MUTANTS];

/** Bugs that these worlds do not show within a reasonable number of seeds, with the tests that do. */
export const UNSEEN: readonly { readonly what: string; readonly why: string }[] = [
  {
    what: 'a rejection is believed although another tab has signed in again meanwhile',
    why: "shown for a moment only, for the other tab's news follows; the client's own tests look at the moment",
  },
  {
    what: 'a verdict of reuse stands although the row has changed meanwhile, or a write does not look whether it has',
    why: 'two requests must meet within milliseconds of a verdict; the contract in `server/src/storage/store.ts` asks for it, and `tests/two-nodes.test.ts` lets two nodes see a fork at once',
  },
  {
    what: 'a redelivery commits without waiting for the disk',
    why: 'three requests, a fallback and a cookie jar must meet in one order; the contract in `server/src/storage/store.ts` asks for it',
  },
];

/** Changes that look like bugs but are none, or that this world cannot show, with the reason. */
export const HARMLESS: readonly { readonly what: string; readonly why: string }[] = [
  {
    what: 'no lock between tabs',
    why: 'a lock is an optimisation: the server answers tabs that refresh at once, and a fifth of the seeds have none',
  },
  {
    what: 'the lock is released before the answer is written',
    why: 'the next tab reads the old copy, which the server answers with an access token alone',
  },
  {
    what: 'announcements between tabs are not sent',
    why: 'tabs read the vault before each refresh and whenever they come to the foreground',
  },
  {
    what: 'a recent delivery is judged without the absolute value of its age',
    why: 'a clock that went back makes the age negative, which is recent as well',
  },
  {
    what: 'a heal keeps the note of the copy that rotated before the rollback',
    why: 'that copy is of a generation two behind; a nonce belongs to one copy, so no other can match the note',
  },
  {
    what: 'the secret of a token is not checked',
    why: "no attacker in this world has the server key; the server's own tests hold one",
  },
  {
    what: 'background refreshes slide the inactivity timeout',
    why: "no promise to the user is broken; the server's own tests hold it",
  },
];
