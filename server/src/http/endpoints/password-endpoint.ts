import { HoldfastServerError } from '../../kernel/errors.ts';
import type { OwnPassword } from '../../users/users.ts';
import { OAuthError } from '../answers.ts';
import { DONE, flag, jsonBody, LAST_CREDENTIAL, NOT_FOUND, ref } from '../description.ts';
import type { Endpoint } from '../endpoint.ts';
import { readFlag, requireParameter } from '../form.ts';
import {
  endedSessions,
  lastCredential,
  noContent,
  requireRecentAuthentication,
  unknownResource,
  type Access,
} from '../resource.ts';

/**
 * Changes the user's own password. Requires a recent authentication instead of the old password: the user may have
 * authenticated with a passkey, and should not have to type a leaked password to remove it.
 */
export const PASSWORD_ENDPOINT: Endpoint<'resource'> = {
  kind: 'resource',
  path: '/password',
  methods: {
    POST: {
      description: {
        operationId: 'changePassword',
        summary: 'Change or set the own password',
        description: 'Needs a recent authentication.',
        form: {
          required: ['new_password'],
          fields: {
            new_password: { type: 'string', format: 'password' },
            end_other_sessions: flag('Default: true'),
          },
        },
        responses: { 200: jsonBody('How many sessions ended with it', ref('EndedSessions')), 404: NOT_FOUND },
      },
      answer: async (access, parts) => {
        requireRecentAuthentication(access, parts);
        const { parameters } = access;
        const password = requireParameter(parameters, 'new_password');
        const own = { ...ownPasswordOf(access), endsOtherSessions: readFlag(parameters, 'end_other_sessions', true) };
        const change = await parts.passwordSignIn.change(own, password).catch(refuseInvalid);
        if (change.kind !== 'changed') throw unknownResource();
        return endedSessions(change.progress);
      },
    },
    DELETE: {
      description: {
        operationId: 'removePassword',
        summary: 'Remove the own password, while a passkey is left',
        description: 'Needs a recent authentication.',
        responses: { 204: DONE, 404: NOT_FOUND, 409: LAST_CREDENTIAL },
      },
      answer: async (access, parts) => {
        requireRecentAuthentication(access, parts);
        const change = await parts.passwordSignIn.remove(ownPasswordOf(access));
        if (change.kind === 'unknown') throw unknownResource();
        if (change.kind === 'last_credential') throw lastCredential();
        return noContent();
      },
    },
  },
};

function ownPasswordOf({ claims, request }: Access): OwnPassword {
  return { sub: claims.sub, sid: claims.sid, address: request.remoteAddress, endsOtherSessions: false };
}

function refuseInvalid(error: unknown): never {
  if (!(error instanceof HoldfastServerError) || error.code !== 'invalid-password') throw error;
  throw new OAuthError(400, 'invalid_request', 'The new password is too short, too long or too well known', {
    reason: 'password',
    cause: error,
  });
}
