export { adopt } from './adopt.ts';
export { createApiClient } from './api-client.ts';
export type { ApiClient, ApiClientOptions, ApiRequestOptions, ApiResponse, RetryPolicy } from './api-client.ts';
export { createAuthService } from './auth-service.ts';
export type { AuthService, AuthServiceOptions } from './auth-service.ts';
export { automaticStage } from './automatic-stage.ts';
export type { AutomaticStage } from './automatic-stage.ts';
export type { AuthorizedFetch, AuthorizedInit } from './authorized-fetch.ts';
export { HoldfastError } from './errors.ts';
export type { HoldfastErrorCode } from './errors.ts';
export { signOutEverywhere } from './everywhere.ts';
export { foreignAnswers } from './foreign-answers.ts';
export type { Instant } from './instant.ts';
export { memoryDeviceSecret, memoryOutbox, memoryVault } from './memory-vault.ts';
export { defaultPolicy, sessionPolicy } from './policy.ts';
export type { CheckedPolicy, SessionPolicy } from './policy.ts';
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
} from './ports.ts';
export { proofSigner } from './proof-signer.ts';
export type { Proof } from './proof-signer.ts';
export { createRefreshLog } from './refresh-log.ts';
export type {
  Chain,
  Freshness,
  Observation,
  ReauthenticationFailure,
  ReauthenticationReason,
  ReauthenticationStage,
  RefreshCause,
  StepUp,
} from './session-state.ts';
export type { PasswordCredential, SignInMethod } from './sign-in.ts';
export type { SessionSnapshot } from './snapshot.ts';
export type { TokenAnswer, TokenAnswerReader, Tokens } from './token-answer.ts';
export { untilOnline } from './until-online.ts';
export { whyFailed } from './why-failed.ts';
export type { ChallengeAnswer } from './wire.ts';
