import type { Mutant } from './mutant.ts';

const REFUSALS = 'client/src/core/refusals.ts';

/** Mutants of the client's verdict on a 401, which blames the token or the endpoint. */
export const REFUSAL_MUTANTS: readonly Mutant[] = [
  {
    name: 'refused-token-is-used-again',
    what: 'a 401 does not mark the token as refused, so that nothing refreshes it',
    patches: [
      {
        file: REFUSALS,
        find: 'if (!isBare && !isGood) state.phase = { ...held, isRefused: true };',
        replace: 'if (!isBare) return 0;',
      },
      {
        file: REFUSALS,
        find: "else if (!state.flight || state.flight.resource) state.wanted ??= 'refused';",
        replace: '',
      },
    ],
  },
  {
    name: 'bare-401-is-the-tokens',
    what: 'a 401 without a word leads to a refresh of a token that the same API accepted a moment ago',
    patches: [
      {
        file: REFUSALS,
        find: 'if (isBare ? isGood || isOwn : isGood && isOwn) return null;',
        replace: 'if (isBare ? isOwn : isGood && isOwn) return null;',
      },
    ],
  },
  {
    name: 'one-refusal-stops-all',
    what: 'after `invalid_token` for a single item nobody uses a token that the same API accepted a moment ago',
    patches: [
      {
        file: REFUSALS,
        find: 'if (!isBare && !isGood) state.phase',
        replace: 'if (!isBare) state.phase',
      },
    ],
  },
  {
    name: 'endpoint-is-never-to-blame',
    what: 'a 401 without a word of a renewed token does not speak for that token',
    patches: [{ file: REFUSALS, find: 'note(acceptance, quietMs);', replace: '' }],
  },
];
