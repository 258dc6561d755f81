import { createAuthorizedFetch, type AuthorizedFetch } from './authorized-fetch.ts';
import { HoldfastError } from './core/errors.ts';
import { defaultPolicy, type CheckedPolicy } from './core/policy.ts';
import type { Platform } from './core/ports.ts';
import type { SessionSnapshot } from './core/snapshot.ts';
import type { Held, MachineConfig, Observation, ReauthenticationFailure, ReauthenticationStage } from './core/state.ts';
import type { TokenResponseReader } from './core/token-result.ts';
import { readTokenResponse, type WireConfig } from './core/wire.ts';
import {
  disposed,
  disposeShell,
  dispatch,
  refuseUnusable,
  requestToken,
  startShell,
  until,
  type TokenRequest,
} from './runtime/effect-runner.ts';
import { postRevocation } from './runtime/revocation.ts';
import type { AutomaticStage, Shell } from './runtime/shell.ts';
import { authenticate, type PasswordCredential, type SignInMethod } from './runtime/sign-in.ts';
import { within } from './runtime/timeouts.ts';

/** Options of `createAuthService`. */
export type AuthServiceOptions = {
  /** The authorization server's issuer identifier, an origin such as `https://api.example.com` (RFC 8414 §2). */
  readonly issuer: string;
  /** This app's client identifier (RFC 6749 §2.2). */
  readonly clientId: string;
  /** The platform's ports: `web()` from `holdfast/web`. */
  readonly platform: Platform;
  /** Scope to ask for at sign-in, space-separated. Default: the server's. */
  readonly scope?: string;
  /** Origins that receive the access token, besides the issuer's. Default: none. */
  readonly resources?: readonly string[];
  /** Endpoints that the server keeps elsewhere, absolute or relative to the issuer. */
  readonly endpoints?: {
    readonly token?: string;
    readonly challenge?: string;
    readonly revocation?: string;
    readonly sessions?: string;
  };
  /** Durations and limits that differ from the defaults: `sessionPolicy({ deadlineMs: 60_000 })`. */
  readonly policy?: CheckedPolicy;
  /**
   * How the user can authenticate again, in order. The user interface carries out a stage that is given by name;
   * `automaticStage()` starts by itself. Default: by password.
   */
  readonly reauthentication?: readonly (ReauthenticationStage | AutomaticStage)[];
  /**
   * Reads the token endpoint's answers at a refresh, a sign-in and an adoption. `foreignTokenResponses()` is for servers that
   * differ from RFC 6749. Default: the standard reading.
   */
  readonly readTokenResponse?: TokenResponseReader;
  /**
   * Counts every refresh as user activity. Default `false`: the platform reports user activity, and a refresh in the
   * background does not keep an abandoned session alive.
   */
  readonly assumeUserActive?: boolean;
  /** Sends the requests to resources. Default: the global `fetch`, looked up at each call. */
  readonly fetch?: typeof fetch;
  /** Called with every observation from the first one on. */
  readonly onEvent?: (observation: Observation) => void;
};

/** The session of this app: its state and its operations. */
export type AuthService = {
  /** The session as it is now. The object stays the same until something changes. */
  readonly getSnapshot: () => SessionSnapshot;
  /**
   * Calls back after every change. Returns the function that unsubscribes. Fits React's `useSyncExternalStore` as it
   * is.
   */
  readonly subscribe: (listener: () => void) => () => void;
  /** Calls back with every observation, without secrets. Returns the function that unsubscribes. */
  readonly observe: (observer: (observation: Observation) => void) => () => void;
  /**
   * Signs in, or authenticates again after the session ended or a resource required it. Requests that were parked for
   * the same user go on. Rejects with `sign-in-rejected`, `server-unavailable`, `misconfigured` with the server's
   * words, or `signed-out` if the user has signed out meanwhile. Of two sign-ins in two tabs the newer stays, whichever
   * is stored first.
   */
  readonly signIn: (credential: PasswordCredential | SignInMethod) => Promise<void>;
  /**
   * Signs out. Local data goes at once. The server is told as soon as it can be reached, also after a relaunch. Rejects
   * with `storage-unavailable` if the stored session could not be read or removed yet: this tab is signed out all the
   * same, and the removal is tried again.
   */
  readonly signOut: () => Promise<void>;
  /**
   * Reports that the current means of authenticating again failed, and tries the next one. Without a next one it signs
   * out, or declines the step-up. Default: `cancelled`.
   */
  readonly declineReauthentication: (why?: ReauthenticationFailure) => void;
  /** Renews the session now, at the user's request: the inactivity timeout starts anew, up to the absolute end. */
  readonly extend: () => void;
  /** Reports user activity: the next refresh passes it on, and the inactivity timeout slides. */
  readonly userActive: () => void;
  /**
   * Resolves once the session was restored or found absent. Rejects with `disposed`, and with `storage-unavailable` if
   * only a person can repair the store (`isRetryable: false`): another user's file, a missing entitlement. The message
   * names the place.
   */
  readonly ready: () => Promise<SessionSnapshot>;
  /**
   * A number that changes whenever another user may be signed in. For requests that are repeated later: a request that
   * was made in one epoch must not be sent in another (`auth.fetch(url, { userEpoch })` refuses it).
   */
  readonly userEpoch: () => number;
  /** A usable access token, refreshed first if necessary. For clients that `fetch` does not fit. */
  readonly getAccessToken: (options?: Pick<TokenRequest, 'signal' | 'deadlineMs'>) => Promise<string>;
  /** A drop-in for `fetch` that carries the session to the origins in `resources` and nowhere else. */
  readonly fetch: AuthorizedFetch;
  /** Origins that `fetch` sends the access token to. */
  readonly resources: ReadonlySet<string>;
  /** The ports in use. */
  readonly platform: Platform;
  /** For functions of this package that take a service, such as `signOutEverywhere`. @internal */
  readonly internals: () => Shell;
  /** Stops timers and listeners. The session stays stored. */
  readonly dispose: () => void;
};

function originOf(url: string): string {
  if (!URL.canParse(url)) throw new TypeError(`not a URL: ${url}`);
  return new URL(url).origin;
}

function wireConfig({ issuer, clientId, platform, scope, endpoints = {} }: AuthServiceOptions): WireConfig {
  if (!clientId) throw new TypeError('no clientId');
  const base = issuer.replace(/\/?$/u, '/');
  const endpoint = (path: string): string => new URL(path, base).href;
  return {
    issuer,
    clientId,
    tokenEndpoint: endpoint(endpoints.token ?? 'token'),
    challengeEndpoint: endpoint(endpoints.challenge ?? 'authorize-challenge'),
    revocationEndpoint: endpoint(endpoints.revocation ?? 'revoke'),
    sessionsEndpoint: endpoint(endpoints.sessions ?? 'sessions'),
    scope: scope ?? null,
    hasCookie: platform.refreshTokenTransport === 'cookie',
  };
}

/**
 * How long a read of the store counts if the platform does not report changes, in ms: too short for a user to notice.
 */
const STORE_KNOWN_MS = 1_000;

function machineConfig(
  options: AuthServiceOptions,
  { hasCookie, scope }: WireConfig,
  reauthentication: readonly (ReauthenticationStage | AutomaticStage)[],
  automaticStages: readonly AutomaticStage[],
): MachineConfig {
  return {
    hasCookie,
    scope,
    stages: reauthentication.map((each) => (typeof each === 'string' ? each : each.stage)),
    automaticStages: automaticStages.map(({ stage }) => stage),
    isUserActive: options.assumeUserActive ?? false,
    storeKnownMs: options.platform.look ? Infinity : STORE_KNOWN_MS,
  };
}

const signedOut = (): HoldfastError => new HoldfastError('signed-out');

/** Signs in, unless the user has signed out since: a late session ends at once. */
async function signIn(shell: Shell, credential: PasswordCredential | SignInMethod): Promise<void> {
  refuseUnusable(shell);
  const { signOuts } = shell;
  const held = await authenticate(shell, credential);
  if (!shell.isDisposed && shell.signOuts === signOuts) return begin(shell, held);
  void postRevocation(shell, held.stored, 'discard');
  throw shell.isDisposed ? disposed() : signedOut();
}

/** Makes a session that has just begun the session of this app. Resolves when the vault has stored it or has failed. */
export async function begin(shell: Shell, held: Held): Promise<void> {
  const { signOuts } = shell;
  shell.newestAfter = signOuts;
  dispatch(shell, { type: 'signedIn', held });
  await until(shell, () => shell.state.storing === null);
  // The service was disposed of during the write, whose outcome is unknown.
  if (shell.state.storing) throw disposed();
  if (shell.signOuts !== signOuts) throw signedOut();
}

/** Signs out. `extent`: the server is asked to end the user's other sessions as well. */
export async function signOut(shell: Shell, extent?: 'everywhere'): Promise<void> {
  refuseUnusable(shell);
  const number = ++shell.signOuts;
  await restored(shell, number);
  refuseUnusable(shell);
  // Keep a sign-in that came during the wait for the stored session.
  if (shell.newestAfter < number) dispatch(shell, { type: 'signOutRequested', extent });
  await until(shell, () => !shell.state.unwritten?.operation);
  if (shell.state.unwritten) throw new HoldfastError('storage-unavailable');
}

/** Waits for the stored session. If it cannot be read in time, it is signed out once it is read. */
async function restored(shell: Shell, number: number): Promise<void> {
  const { userEpoch } = shell.state;
  try {
    await within(shell.platform.clock, shell.policy.vaultWaitMs, ready(shell));
  } catch (cause) {
    refuseUnusable(shell);
    const end = (): void => {
      // Sign out only if the user has not signed in since.
      if (shell.state.userEpoch === userEpoch && shell.newestAfter < number)
        dispatch(shell, { type: 'signOutRequested' });
    };
    void until(shell, () => !isRestoring(shell)).then(end);
    throw shell.state.vaultError ?? new HoldfastError('storage-unavailable', undefined, { cause });
  }
}

const isRestoring = ({ snapshot }: Shell): boolean => snapshot.status === 'restoring';

async function ready(shell: Shell): Promise<SessionSnapshot> {
  refuseUnusable(shell);
  await until(shell, () => !isRestoring(shell) || shell.state.vaultError !== null);
  if (isRestoring(shell)) throw shell.state.vaultError ?? disposed();
  return shell.snapshot;
}

function declineReauthentication(shell: Shell, why: ReauthenticationFailure): void {
  const { reauthentication } = shell.state;
  if (!reauthentication) return;
  dispatch(shell, { type: 'reauthenticationFailed', stage: reauthentication.stage, why });
  // A sign-in that is still at the server comes too late.
  if (shell.state.phase.kind === 'signed-out') shell.signOuts++;
}

function listen<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/**
 * Creates the session of this app and starts to restore it. Create one per app and page: two would compete for one
 * vault, which is safe and pointless.
 *
 * @throws TypeError for options that cannot work
 *
 * @example
 * const auth = createAuthService({ issuer: 'https://api.example.com', clientId: 'app', platform: web() })
 * await auth.signIn({ username, password })
 * const me = await auth.fetch('https://api.example.com/me')
 */
export function createAuthService(options: AuthServiceOptions): AuthService {
  const { issuer, onEvent, reauthentication = ['password'] } = options;
  const platform = options.platform.forApp?.(`${issuer} ${options.clientId}`) ?? options.platform;
  const resources = new Set([originOf(issuer), ...(options.resources ?? []).map(originOf)]);
  const observers = new Set(onEvent && [onEvent]);
  const automaticStages = reauthentication.filter((each) => typeof each !== 'string');
  const wire = wireConfig(options);
  const shell = startShell({
    config: machineConfig(options, wire, reauthentication, automaticStages),
    wire,
    readTokenResponse: options.readTokenResponse ?? readTokenResponse,
    policy: options.policy?.() ?? defaultPolicy,
    platform,
    observers,
    automaticStages,
    send: options.fetch ?? ((input, init) => fetch(input, init)),
  });
  const base = (): string => (typeof document === 'undefined' ? issuer : document.baseURI);
  return {
    getSnapshot: () => shell.snapshot,
    subscribe: (listener) => listen(shell.listeners, listener),
    observe: (observer) => listen(shell.observers, observer),
    signIn: (credential) => signIn(shell, credential),
    signOut: () => signOut(shell),
    declineReauthentication: (why = 'cancelled') => declineReauthentication(shell, why),
    extend: () => dispatch(shell, { type: 'extendRequested' }),
    userActive: () => dispatch(shell, { type: 'signalled', signal: 'user-active' }),
    ready: () => ready(shell),
    userEpoch: () => shell.state.userEpoch,
    getAccessToken: async (request = {}) => (await requestToken(shell, request)).access.value,
    fetch: createAuthorizedFetch(shell, resources, base),
    resources,
    platform,
    internals: () => shell,
    dispose: () => disposeShell(shell),
  };
}
