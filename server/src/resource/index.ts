/**
 * For resource servers: verify Holdfast's access tokens without a database.
 *
 * @packageDocumentation
 */
export type { AccessTokenClaims } from '../tokens/access-token.ts';
export type { AuthenticationRequirement } from '../tokens/step-up.ts';
export { claimsOf, expressGuard, fastifyGuard, honoGuard, refuseRequest } from './frameworks.ts';
export type {
  ExpressRequest,
  ExpressResponse,
  FastifyReply,
  FastifyRequest,
  HonoContext,
  NodeHeaders,
} from './frameworks.ts';
export { createResourceGuard } from './guard.ts';
export type {
  ResourceGuard,
  ResourceGuardOptions,
  ResourceRequest,
  ResourceRequirement,
  ResourceVerdict,
  TokenAlgorithm,
} from './guard.ts';
export { followRevocations } from './revocation-follower.ts';
export type { RevocationFollower, RevocationFollowerOptions } from './revocation-follower.ts';
