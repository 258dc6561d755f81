import { HoldfastError } from '../../kernel/errors.ts';
import type { OwnPassword } from '../../users/users.ts';
import { OAuthError } from '../answers.ts';
import { readFlag, requireParameter } from '../form.ts';
import {
  endedSessions,
  lastCredential,
  noContent,
  requireRecentAuthentication,
  unknownResource,
  type Access,
  type ResourceEndpoint,
} from '../resource.ts';

/**
 * Changes the user's own password. Requires a recent authentication instead of the old password: the user may have
 * authenticated with a passkey, and should not have to type a leaked password to remove it.
 */
export const PASSWORD_ENDPOINT: ResourceEndpoint = {
  kind: 'resource',
  path: '/password',
  methods: {
    POST: async (access, parts) => {
      requireRecentAuthentication(access, parts);
      const { parameters } = access;
      const password = requireParameter(parameters, 'new_password');
      const own = { ...ownPasswordOf(access), endsOtherSessions: readFlag(parameters, 'end_other_sessions', true) };
      const change = await parts.passwordSignIn.change(own, password).catch(refuseInvalid);
      if (change.kind !== 'changed') throw unknownResource();
      return endedSessions(change.progress);
    },
    DELETE: async (access, parts) => {
      requireRecentAuthentication(access, parts);
      const change = await parts.passwordSignIn.remove(ownPasswordOf(access));
      if (change.kind === 'unknown') throw unknownResource();
      if (change.kind === 'last_credential') throw lastCredential();
      return noContent();
    },
  },
};

function ownPasswordOf({ claims, request }: Access): OwnPassword {
  return { sub: claims.sub, sid: claims.sid, address: request.remoteAddress, endsOtherSessions: false };
}

function refuseInvalid(error: unknown): never {
  if (!(error instanceof HoldfastError) || error.code !== 'invalid_password') throw error;
  throw new OAuthError(400, 'invalid_request', 'The new password is too short, too long or too well known', {
    reason: 'password',
    cause: error,
  });
}
