import { createAuthorizedFetch } from './authorized-fetch.ts';
import { resolvePolicy, type SessionPolicy } from './policy.ts';
import type { Platform } from './ports.ts';
import type { MachineConfig, Observation, ReauthenticationStage } from './session-state.ts';
import { disposeShell, dispatch, requestToken, startShell, type Shell } from './shell.ts';
import { authenticate, type PasswordCredential } from './sign-in.ts';
import type { SessionSnapshot } from './snapshot.ts';

/** What `createAuthService` needs to know. */
export type AuthServiceOptions = {
  /** The authorization server's issuer identifier, an origin such as `https://api.example.com` (RFC 8414 §2). */
  readonly issuer: string;
  /** This app's client identifier (RFC 6749 §2.2). */
  readonly clientId: string;
  /** The platform's ports: `web()` from `holdfast/web`. */
  readonly platform: Platform;
  /** Scope to ask for at sign-in, space-separated. Default: the server's. */
  readonly scope?: string;
  /** Origins that receive the access token. Default: the issuer's. */
  readonly resources?: readonly string[];
  /** Endpoints of a server that keeps them elsewhere, absolute or relative to the issuer. */
  readonly endpoints?: { readonly token?: string; readonly challenge?: string; readonly revocation?: string };
  /** Durations and limits that differ from the defaults. */
  readonly policy?: Partial<SessionPolicy>;
  /** How the user can authenticate again, in order. Default: by password. */
  readonly reauthentication?: readonly ReauthenticationStage[];
  /**
   * Whether every refresh counts as the user's activity. Default `false`: the platform reports what the user does,
   * and a refresh in the background does not keep an abandoned session alive.
   */
  readonly assumeUserActive?: boolean;
  /** Sends the requests to resources. Default: the global `fetch`, looked up at each call. */
  readonly fetch?: typeof fetch;
  /** Called with every observation from the first one on. */
  readonly onEvent?: (observation: Observation) => void;
};

/** The session of this app: its state, and everything that can be done with it. */
export type AuthService = {
  /** The session as it is now; the same object until something changes. */
  getSnapshot(): SessionSnapshot;
  /** Calls back after every change. Returns the function that stops it. Fits React's `useSyncExternalStore` as it is. */
  subscribe(listener: () => void): () => void;
  /** Calls back with everything that happens, without secrets. Returns the function that stops it. */
  observe(observer: (observation: Observation) => void): () => void;
  /**
   * Signs in with a password, or authenticates again after the session ended; what was parked for the same user goes on.
   * Rejects with `sign-in-rejected`, `server-unavailable` or `misconfigured`.
   */
  signIn(credential: PasswordCredential): Promise<void>;
  /** Signs out: local data goes at once, the server is told in the background. */
  signOut(): Promise<void>;
  /** The user declines to authenticate again: tries the next means, or signs out. */
  declineReauthentication(): void;
  /** Renews the session now, as the user's own activity. */
  extend(): void;
  /** The user did something: the next refresh says so, and the inactivity timeout slides. */
  userActive(): void;
  /** Resolves once the session was restored or found absent. */
  ready(): Promise<SessionSnapshot>;
  /** A usable access token, refreshed first if need be. For clients that `fetch` does not fit. */
  getAccessToken(options?: { readonly signal?: AbortSignal; readonly deadlineMs?: number }): Promise<string>;
  /** A drop-in for `fetch` that carries the session to the origins in `resources` and nowhere else. */
  readonly fetch: typeof fetch;
  /** Origins that `fetch` sends the access token to. */
  readonly resources: ReadonlySet<string>;
  /** The ports in use. */
  readonly platform: Platform;
  /** Stops timers and listeners. The session stays stored. */
  dispose(): void;
};

function originOf(url: string, name: string): string {
  if (!URL.canParse(url)) throw new TypeError(`${name} must be an absolute URL`);
  return new URL(url).origin;
}

function machineConfig(options: AuthServiceOptions): MachineConfig {
  const { issuer, clientId, platform, scope, endpoints = {}, reauthentication = ['password'] } = options;
  if (clientId === '') throw new TypeError('clientId must not be empty');
  const root = issuer.endsWith('/') ? issuer : `${issuer}/`;
  const endpoint = (path: string): string => new URL(path, root).href;
  return {
    wire: {
      clientId,
      tokenEndpoint: endpoint(endpoints.token ?? 'token'),
      challengeEndpoint: endpoint(endpoints.challenge ?? 'authorize-challenge'),
      revocationEndpoint: endpoint(endpoints.revocation ?? 'revoke'),
      scope: scope ?? null,
      delivery: platform.delivery,
    },
    stages: reauthentication,
    isActivityAssumed: options.assumeUserActive ?? false,
  };
}

async function signIn(shell: Shell, credential: PasswordCredential): Promise<void> {
  const { phase } = shell.state;
  const replaces = phase.kind === 'active' || phase.kind === 'reauth-required' ? phase.stored.sid : null;
  dispatch(shell, { type: 'signedIn', held: await authenticate(shell, credential, replaces) });
  await until(shell, () => shell.state.storing === null);
}

/** Resolves when `isTrue`, looking again after every change of the vault. */
async function until(shell: Shell, isTrue: () => boolean): Promise<void> {
  while (!isTrue() && !shell.isDisposed) await shell.vaultTail;
}

async function ready(shell: Shell): Promise<SessionSnapshot> {
  if (shell.snapshot.status !== 'restoring') return shell.snapshot;
  return new Promise((resolve) => {
    const listener = (): void => {
      if (shell.snapshot.status === 'restoring') return;
      shell.listeners.delete(listener);
      resolve(shell.snapshot);
    };
    shell.listeners.add(listener);
  });
}

function declineReauthentication(shell: Shell): void {
  const { phase } = shell.state;
  if (phase.kind === 'reauth-required') dispatch(shell, { type: 'reauthenticationFailed', stage: phase.stage });
}

function listen<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/**
 * Creates the session of this app and starts to restore it. One per app and page: two would compete for one vault,
 * which is safe and pointless.
 *
 * Throws `TypeError` for options that cannot work.
 *
 * @example
 * const auth = createAuthService({ issuer: 'https://api.example.com', clientId: 'app', platform: web() })
 * await auth.signIn({ username, password })
 * const me = await auth.fetch('https://api.example.com/me')
 */
export function createAuthService(options: AuthServiceOptions): AuthService {
  const { issuer, platform, onEvent } = options;
  const resources = new Set([
    originOf(issuer, 'issuer'),
    ...(options.resources ?? []).map((url) => originOf(url, 'resources')),
  ]);
  const observers = new Set(onEvent === undefined ? [] : [onEvent]);
  const shell = startShell(machineConfig(options), resolvePolicy(options.policy), platform, observers);
  return {
    getSnapshot: () => shell.snapshot,
    subscribe: (listener) => listen(shell.listeners, listener),
    observe: (observer) => listen(shell.observers, observer),
    signIn: (credential) => signIn(shell, credential),
    signOut: async () => {
      await ready(shell);
      dispatch(shell, { type: 'signOutRequested' });
      await shell.vaultTail;
    },
    declineReauthentication: () => declineReauthentication(shell),
    extend: () => dispatch(shell, { type: 'extendRequested' }),
    userActive: () => dispatch(shell, { type: 'signalled', signal: 'user-active' }),
    ready: () => ready(shell),
    getAccessToken: async (tokenOptions = {}) => (await requestToken(shell, tokenOptions)).access.value,
    fetch: createAuthorizedFetch(shell, resources, issuer, options.fetch ?? ((input, init) => fetch(input, init))),
    resources,
    platform,
    dispose: () => disposeShell(shell),
  };
}
