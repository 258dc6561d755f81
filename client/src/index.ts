export { adopt } from './optional/adopt.ts';
export { createApiClient } from './api-client.ts';
export type { ApiClient, ApiClientOptions, ApiRequestOptions, ApiResponse, RetryPolicy } from './api-client.ts';
export { createAuthService } from './auth-service.ts';
export type { AuthService, AuthServiceOptions } from './auth-service.ts';
export { automaticStage } from './optional/automatic-stage.ts';
export type { AutomaticStage } from './runtime/shell.ts';
export type { AuthorizedFetch, AuthorizedInit, RequestBody } from './authorized-fetch.ts';
export { HoldfastError } from './core/errors.ts';
export type { ErrorResponse, HoldfastErrorCode } from './core/errors.ts';
export { signOutEverywhere } from './optional/everywhere.ts';
export { foreignTokenResponses } from './optional/foreign-token-responses.ts';
export type { Instant } from './core/instant.ts';
export { memoryDeviceSecret, memoryOutbox, memoryVault } from './platform/memory-vault.ts';
export { defaultPolicy, sessionPolicy } from './core/policy.ts';
export type { CheckedPolicy, SessionPolicy } from './core/policy.ts';
export type {
  AbortSignalLike,
  Clock,
  HttpRequest,
  HttpResponse,
  Outbox,
  PendingRevocation,
  Platform,
  ProofRequest,
  ProofResponseHeaders,
  ProofSigner,
  RefreshLock,
  Signal,
  Signals,
  SignedOutReason,
  StoredSession,
  Transport,
  Vault,
  VaultRecord,
} from './core/ports.ts';
export { proofSigner } from './runtime/dpop.ts';
export type { Proof } from './runtime/dpop.ts';
export { createRefreshLog } from './optional/refresh-log.ts';
export type {
  Freshness,
  Observation,
  ReauthenticationFailure,
  ReauthenticationProgress,
  ReauthenticationReason,
  ReauthenticationStage,
  RefreshCause,
  StepUp,
} from './core/state.ts';
export type { PasswordCredential, SignInMethod } from './runtime/sign-in.ts';
export type { SessionSnapshot } from './core/snapshot.ts';
export type {
  RejectionReason,
  TokenResponseReader,
  TokenResult,
  Tokens,
  TransientCause,
  TransientFailure,
} from './core/token-result.ts';
export type { TokenRequest } from './runtime/effect-runner.ts';
export { untilOnline } from './until-online.ts';
export { whyFailed } from './runtime/why-failed.ts';
export type { ChallengeResult } from './core/wire.ts';
