import type { SessionPolicy } from '../core/policy.ts';
import type { Platform, Revocation, Signal } from '../core/ports.ts';
import type { SessionSnapshot } from '../core/snapshot.ts';
import type {
  GrantedToken,
  MachineConfig,
  Observation,
  ReauthenticationStage,
  SessionEvent,
  SessionState,
} from '../core/state.ts';
import type { TokenAnswerReader } from '../core/token-result.ts';
import type { WireConfig } from '../core/wire.ts';

/** A stage of the reauthentication chain that needs no user interface of the app's: `automaticStage()` makes it. */
export type AutomaticStage = {
  readonly stage: ReauthenticationStage;
  /** Authenticates without the user interface's help. Ends in `signedIn` or `reauthenticationFailed`. Never rejects. @internal */
  readonly start: (shell: Shell) => Promise<void>;
  /** Is told every signal of the platform. @internal */
  readonly hear: (shell: Shell, signal: Signal) => void;
};

type Caller = { readonly resolve: (token: GrantedToken | null) => void; readonly reject: (error: Error) => void };

/** The running machine of one tab. */
export type Shell = {
  readonly config: MachineConfig;
  readonly wire: WireConfig;
  readonly readAnswer: TokenAnswerReader;
  readonly policy: SessionPolicy;
  readonly platform: Platform;
  /** Sends the requests to resources. */
  readonly send: typeof fetch;
  state: SessionState;
  snapshot: SessionSnapshot;
  readonly queue: SessionEvent[];
  isDispatching: boolean;
  isDisposed: boolean;
  /** How often a sign-out was asked for: a sign-in that began before one comes too late. */
  signOuts: number;
  /** `signOuts` when the newest sign-in was handed over: no sign-out up to that one is meant for it. */
  newestAfter: number;
  /** The store's device secret once it was read; before that, the one that the store is offered. */
  deviceSecret: string;
  readonly callers: Map<number, Caller>;
  nextCaller: number;
  /** The refreshes under way by attempt: what ends one gives up its lock, held or waited for, and its exchange. */
  readonly attempts: Map<number, AbortController>;
  /** What the next refresh request is signed with; made before the vault is read. */
  proof: string | null;
  readonly automaticStages: readonly AutomaticStage[];
  /** Vault operations run one after the other, in the order in which the machine asked for them. */
  vaultTail: Promise<void>;
  cancelWake: () => void;
  /** Sign-outs that the server has not taken yet, how often in a row it did not, and the next try. */
  undelivered: readonly Revocation[];
  deliveries: number;
  cancelDelivery: () => void;
  /** Settles when the outbox has noted all that it was given. */
  noted: Promise<unknown>;
  stopSignals: () => void;
  readonly listeners: Set<() => void>;
  readonly observers: Set<(observation: Observation) => void>;
  /** Called after every turn. */
  readonly lookouts: Set<() => void>;
};

/** What a shell is made of. */
export type ShellParts = Pick<
  Shell,
  'config' | 'wire' | 'readAnswer' | 'policy' | 'platform' | 'observers' | 'automaticStages' | 'send'
>;
