import type { Mutant } from './mutant.ts';

const EXCHANGE = 'server/src/storage/memory-exchange.ts';
const CHAINS = 'server/src/storage/memory-chains.ts';
const LIFECYCLE = 'client/src/core/lifecycle.ts';
const STORED_SESSION = 'client/src/core/stored-session.ts';

/**
 * Mutants of device chains. Each leaves out one rule of section 6 of the protocol, and the small chain worlds catch it.
 */
export const CHAIN_MUTANTS: readonly Mutant[] = [
  {
    name: 'secret-proves-nothing',
    what: 'only a cookie of the chain proves the device, and no secret of the store',
    patches: [
      {
        file: EXCHANGE,
        find: '.filter(({ deviceSecretHash }) => secret !== undefined && deviceSecretHash === secret)',
        replace: ".filter(() => secret === '')",
      },
    ],
  },
  {
    name: 'sign-ins-by-clock',
    what: "two sign-ins of a chain are ordered by the device's clock instead of by the server's sequence",
    patches: [
      {
        file: STORED_SESSION,
        find: 'if (a.deviceId && a.deviceId === b.deviceId) return (a.deviceSequence ?? 0) - (b.deviceSequence ?? 0);',
        replace: '',
      },
    ],
  },
  {
    name: 'loser-signs-out',
    what: 'a sign-in that lost to another tab is signed out of instead of discarded',
    patches: [
      {
        file: LIFECYCLE,
        find: "run(turn, { type: 'revoke', session, extent });",
        replace: "run(turn, { type: 'revoke', session });",
      },
    ],
  },
  {
    name: 'sign-out-spares-unused',
    what: 'a sign-out leaves later sessions of its device alive that were never used',
    patches: [{ file: CHAINS, find: '...unused.map((row) => row.deviceSequence)', replace: '' }],
  },
  {
    name: 'sign-out-voids-nothing',
    what: 'a sign-out does not void the exchanges that are under way',
    patches: [{ file: EXCHANGE, find: "if (isVoid) return { kind: 'refused', reason: 'signed_out' };", replace: '' }],
  },
  {
    name: 'exchange-is-no-use',
    what: "an exchange that names a live session and brings its copy is not that session's first use",
    patches: [{ file: EXCHANGE, find: 'ended.push(...noteFirstUse(scope, chain));', replace: '' }],
  },
  {
    name: 'sign-out-counts-again',
    what: 'a sign-out that is told again ends a session that began after it',
    patches: [
      {
        file: CHAINS,
        find: 'row.deviceSequence < (signedOutSequence ?? Infinity)',
        replace: 'signedOutSequence !== 0',
      },
    ],
  },
  {
    name: 'sign-in-overtakes-sign-out',
    what: 'a sign-in does not wait until the server knows of the sign-out before it',
    patches: [
      {
        file: 'client/src/runtime/revocation.ts',
        find: 'if (shell.undelivered.length > 0) await deliverRevocations(shell);',
        replace: '',
      },
    ],
  },
  {
    name: 'sign-out-without-secret',
    what: "a sign-out brings the device secret only where this page has signed in: without the session's cookie it proves nothing",
    patches: [
      {
        file: 'client/src/runtime/effect-runner.ts',
        find: 'if (shell.wire.hasCookie) void readDeviceSecret(shell);',
        replace: '',
      },
    ],
  },
  {
    name: 'store-asks-for-anybody',
    what: "a store without a marker asks the server for a session without a name, and is given another store's",
    patches: [
      { file: 'client/src/platform/marked-vault.ts', find: 'if (mayHaveCookies) return', replace: 'if (true) return' },
    ],
  },
  {
    name: 'sign-out-by-any-cookie',
    what: "a sign-out ends the session of the browser's newest cookie, and not the session that is named",
    patches: [
      {
        file: 'server/src/http/endpoints/revocation-endpoint.ts',
        find: 'findNamed(jar, sid, parts.issuer)?.value',
        replace: '(findNamed(jar, sid, parts.issuer), jar.genuine.at(-1)?.cookie.value)',
      },
    ],
  },
];
