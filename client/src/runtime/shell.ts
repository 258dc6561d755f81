import type { SessionPolicy } from '../core/policy.ts';
import type { Platform, PendingRevocation, Signal } from '../core/ports.ts';
import type { SessionSnapshot } from '../core/snapshot.ts';
import type {
  GrantedToken,
  MachineConfig,
  Observation,
  ReauthenticationStage,
  SessionEvent,
  SessionState,
} from '../core/state.ts';
import type { TokenResponseReader } from '../core/token-result.ts';
import type { WireConfig } from '../core/wire.ts';

/** A stage of the reauthentication that needs no user interface of the app. `automaticStage()` makes one. */
export type AutomaticStage = {
  readonly stage: ReauthenticationStage;
  /**
   * Authenticates without the user interface. Ends in `signedIn` or `reauthenticationFailed`. Never rejects. @internal
   */
  readonly start: (shell: Shell) => Promise<void>;
  /** Receives every signal of the platform. @internal */
  readonly onSignal: (shell: Shell, signal: Signal) => void;
};

type Caller = { readonly resolve: (token: GrantedToken | null) => void; readonly reject: (error: Error) => void };

/** The running machine of one tab. */
export type Shell = {
  readonly config: MachineConfig;
  readonly wire: WireConfig;
  readonly readTokenResponse: TokenResponseReader;
  readonly policy: SessionPolicy;
  readonly platform: Platform;
  /** Sends the requests to resources. */
  readonly send: typeof fetch;
  state: SessionState;
  snapshot: SessionSnapshot;
  readonly queue: SessionEvent[];
  isDispatching: boolean;
  isDisposed: boolean;
  /** Number of sign-outs asked for. A sign-in that began before the last one comes too late. */
  signOuts: number;
  /** `signOuts` when the newest sign-in was handed over. Sign-outs up to that number do not end that sign-in. */
  newestAfter: number;
  /** The store's device secret once it was read. Before that, the candidate that the store is offered. */
  deviceSecret: string;
  readonly callers: Map<number, Caller>;
  nextCaller: number;
  /** The refreshes under way by attempt. An abort gives up the attempt's lock, held or waited for, and its exchange. */
  readonly attempts: Map<number, AbortController>;
  /** The DPoP proof for the next refresh request, signed before the vault is read. */
  proof: string | null;
  readonly automaticStages: readonly AutomaticStage[];
  /**
   * Vault operations run one after the other, in the order in which the machine asked for them. One that takes longer
   * than `policy.vaultWaitMs` is given up, and the next one starts.
   */
  vaultTail: Promise<void>;
  cancelWake: () => void;
  /** Revocations that the server has not taken, how often in a row it did not, and the next try. */
  undelivered: readonly PendingRevocation[];
  deliveries: number;
  cancelDelivery: () => void;
  /** Settles when the outbox has kept all revocations that it was given. */
  noted: Promise<unknown>;
  stopSignals: () => void;
  readonly listeners: Set<() => void>;
  readonly observers: Set<(observation: Observation) => void>;
  /** Called after every turn. */
  readonly lookouts: Set<() => void>;
};

/** The parts that a shell is made of. */
export type ShellParts = Pick<
  Shell,
  'config' | 'wire' | 'readTokenResponse' | 'policy' | 'platform' | 'observers' | 'automaticStages' | 'send'
>;
