export { createApiClient } from './api-client.ts';
export type { ApiClient, ApiClientOptions, ApiRequestOptions, ApiResponse, RetryPolicy } from './api-client.ts';
export { createAuthService } from './auth-service.ts';
export type { AuthService, AuthServiceOptions } from './auth-service.ts';
export { HoldfastError } from './errors.ts';
export type { HoldfastErrorCode } from './errors.ts';
export type { Instant } from './instant.ts';
export { defaultPolicy } from './policy.ts';
export type { SessionPolicy } from './policy.ts';
export type {
  Clock,
  HttpAnswer,
  HttpRequest,
  Mutex,
  Platform,
  Signal,
  Signals,
  SignedOutReason,
  StoredSession,
  Transport,
  Vault,
  VaultRecord,
} from './ports.ts';
export type {
  Freshness,
  Observation,
  ReauthenticationReason,
  ReauthenticationStage,
  RefreshCause,
} from './session-state.ts';
export type { PasswordCredential } from './sign-in.ts';
export type { SessionSnapshot } from './snapshot.ts';
