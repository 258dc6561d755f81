// Runs in the page: the real client, within reach of a test. Bundled by `stage.ts`. The query says how it is set up.
import {
  automaticStage,
  createAuthService,
  HoldfastError,
  sessionPolicy,
  type AuthService,
  type Observation,
  type Platform,
  type SessionSnapshot,
} from 'holdfast';
import { explainPasskeyError, passkey, registerPasskey, web, webProofSigner } from 'holdfast/web';

/** Where the refresh token is kept: in a cookie, in the vault, or in the vault and bound to a key. */
export type StageMode = 'cookie' | 'bearer' | 'bound';

/** The calls that a test can make in a page of the stage. */
export type Scene = {
  readonly auth: AuthService;
  /** The session of another store of this page, as an app has it that holds several accounts. */
  account(name: string): AuthService;
  /** Everything that happened in this tab. */
  readonly observations: Observation[];
  /** Sets the device's clocks on: the wall clock and the monotonic one. Timers stay real, as they do while a device sleeps. */
  passTime(wallMs: number, monotonicMs: number): void;
  signIn(credential: { readonly username: string; readonly password: string }): Promise<string>;
  signInByPasskey(): Promise<string>;
  registerPasskey(): Promise<string>;
  /** Resolves when the session has that status. */
  until(status: SessionSnapshot['status']): Promise<SessionSnapshot>;
  /** Sends a note with the session: the answer's status, or the code of the error. */
  write(note: string): Promise<number | string>;
  /** The access token in use. */
  token(): Promise<string>;
};

const query = new URLSearchParams(location.search);
const mode = (query.get('mode') ?? 'cookie') as StageMode;

const offset = { wallMs: Number(query.get('skewMs') ?? 0), monotonicMs: 0 };
const wallNow = Date.now.bind(Date);
const monotonicNow = performance.now.bind(performance);
Date.now = () => wallNow() + offset.wallMs;
performance.now = () => monotonicNow() + offset.monotonicMs;

const observations: Observation[] = [];
/** The ports of a store; `null`: of the one that issuer and client name. */
const platformOf = (name: string | null): Platform =>
  web({
    refreshTokenTransport: mode === 'cookie' ? 'cookie' : 'body',
    ...(name === null ? {} : { name }),
    ...(mode === 'bound' ? { signProof: webProofSigner() } : {}),
    mayHaveCookies: query.has('mayHaveCookies'),
  });

const accounts = new Map<string, AuthService>();

function account(name: string): AuthService {
  const service =
    accounts.get(name) ?? createAuthService({ issuer: location.origin, clientId: mode, platform: platformOf(name) });
  accounts.set(name, service);
  return service;
}

const auth = createAuthService({
  issuer: location.origin,
  clientId: mode,
  platform: platformOf(query.get('name')),
  policy: sessionPolicy(JSON.parse(query.get('policy') ?? '{}') as object),
  ...(query.has('passkey') ? { reauthentication: [automaticStage('passkey', passkey()), 'password' as const] } : {}),
  onEvent: (observation) => observations.push(observation),
});

/** The outcome in a word, for a test to compare. */
const outcomeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof HoldfastError ? error.code : explainPasskeyError(error)),
  );

function until(status: SessionSnapshot['status']): Promise<SessionSnapshot> {
  return new Promise((resolve) => {
    const look = (): void => {
      const snapshot = auth.getSnapshot();
      if (snapshot.status !== status) return;
      stop();
      resolve(snapshot);
    };
    const stop = auth.subscribe(look);
    look();
  });
}

const scene: Scene = {
  auth,
  account,
  observations,
  passTime: (wallMs, monotonicMs) => {
    offset.wallMs += wallMs;
    offset.monotonicMs += monotonicMs;
  },
  signIn: (credential) => outcomeOf(auth.signIn(credential)),
  signInByPasskey: () => outcomeOf(auth.signIn(passkey())),
  registerPasskey: () => outcomeOf(registerPasskey(auth, { issuer: location.origin })),
  until,
  write: (note) =>
    auth.fetch('/notes', { method: 'POST', body: note }).then(
      ({ status }) => status,
      (error: unknown) => (error instanceof HoldfastError ? error.code : String(error)),
    ),
  token: () => auth.getAccessToken(),
};
Object.assign(globalThis, { scene });
