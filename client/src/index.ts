export { adopt } from './optional/adopt.ts';
export { createApiClient } from './api-client.ts';
export type { ApiClient, ApiClientOptions, ApiRequestOptions, ApiResponse, RetryPolicy } from './api-client.ts';
export { createAuthService } from './auth-service.ts';
export type { AuthService, AuthServiceOptions } from './auth-service.ts';
export { automaticStage } from './optional/automatic-stage.ts';
export type { AutomaticStage } from './runtime/shell.ts';
export type { AuthorizedFetch, AuthorizedInit } from './authorized-fetch.ts';
export { HoldfastError } from './core/errors.ts';
export type { HoldfastErrorCode } from './core/errors.ts';
export { signOutEverywhere } from './optional/everywhere.ts';
export { foreignAnswers } from './optional/foreign-answers.ts';
export type { Instant } from './core/instant.ts';
export { memoryDeviceSecret, memoryOutbox, memoryVault } from './platform/memory-vault.ts';
export { defaultPolicy, sessionPolicy } from './core/policy.ts';
export type { CheckedPolicy, SessionPolicy } from './core/policy.ts';
export type {
  Clock,
  HttpAnswer,
  HttpRequest,
  Mutex,
  Outbox,
  Platform,
  ProofSigner,
  Revocation,
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
  Chain,
  Freshness,
  Observation,
  ReauthenticationFailure,
  ReauthenticationReason,
  ReauthenticationStage,
  RefreshCause,
  StepUp,
} from './core/state.ts';
export type { PasswordCredential, SignInMethod } from './runtime/sign-in.ts';
export type { SessionSnapshot } from './core/snapshot.ts';
export type { TokenAnswer, TokenAnswerReader, Tokens } from './core/token-result.ts';
export { untilOnline } from './until-online.ts';
export { whyFailed } from './runtime/why-failed.ts';
export type { ChallengeAnswer } from './core/wire.ts';
