import type { PasskeyRecord } from '../../storage/user-store.ts';
import type { PasskeyHolder } from '../../users/passkeys.ts';
import { invalidRequest, json, OAuthError } from '../answers.ts';
import { invalidSession } from '../credentials.ts';
import { DONE, errorBody, idInPath, jsonBody, LAST_CREDENTIAL, NOT_FOUND, ref, text } from '../description.ts';
import type { Endpoint } from '../endpoint.ts';
import { requireParameter, type Parameters } from '../form.ts';
import {
  lastCredential,
  noContent,
  requireRecentAuthentication,
  toSeconds,
  unknownResource,
  type Access,
} from '../resource.ts';

const DEFAULT_NAME = 'Passkey';
/** Longest name of a passkey, in characters. */
const NAME_LENGTH = 64;
/** WebAuthn Level 3 §5.8.3: at most 1023 bytes. */
const CREDENTIAL_ID = /^[A-Za-z0-9_-]{1,1364}$/;

/** Starts a registration: returns the options for the browser's `navigator.credentials.create`. */
export const PASSKEY_OPTIONS_ENDPOINT: Endpoint<'resource'> = {
  kind: 'resource',
  path: '/passkeys/options',
  methods: {
    POST: {
      description: {
        operationId: 'beginPasskey',
        summary: 'Begin the registration of a passkey',
        description: 'Needs a recent authentication.',
        form: { required: [], fields: {} },
        responses: {
          200: jsonBody('What the browser is given', {
            type: 'object',
            required: ['auth_session', 'passkey_options'],
            properties: {
              auth_session: text('Goes back with the response'),
              passkey_options: { type: 'object', description: 'WebAuthn: PublicKeyCredentialCreationOptionsJSON' },
            },
          }),
          404: NOT_FOUND,
        },
      },
      answer: async (access, parts) => {
        requireRecentAuthentication(access, parts);
        const user = await parts.users.findById(access.claims.sub);
        if (user === null) throw unknownResource();
        const { session, options } = await parts.passkeys.creationOptions(holderOf(access), user);
        return json(200, { auth_session: session, passkey_options: options });
      },
    },
  },
};

/** Lists the user's passkeys, and completes a registration. */
export const PASSKEYS_ENDPOINT: Endpoint<'resource'> = {
  kind: 'resource',
  path: '/passkeys',
  methods: {
    GET: {
      description: {
        operationId: 'listPasskeys',
        summary: "The user's passkeys",
        responses: {
          200: jsonBody('Oldest first', {
            type: 'object',
            required: ['passkeys'],
            properties: { passkeys: { type: 'array', items: ref('Passkey') } },
          }),
        },
      },
      answer: async ({ claims }, { passkeys }) =>
        json(200, { passkeys: (await passkeys.list(claims.sub)).map(describe) }),
    },
    POST: {
      description: {
        operationId: 'registerPasskey',
        summary: 'Register a passkey',
        description: 'The options were given after a recent authentication; no other one is needed.',
        form: {
          required: ['auth_session', 'passkey_response'],
          fields: {
            auth_session: text('From /passkeys/options'),
            passkey_response: text('JSON of the RegistrationResponseJSON'),
            name: text('At most 64 characters'),
          },
        },
        responses: {
          201: jsonBody('Registered', ref('Passkey')),
          409: errorBody('It is registered already, or there are too many'),
        },
      },
      answer: async (access, parts) => {
        // The auth_session proves a recent authentication: this session received it after one, and it expires soon. A new
        // authentication would end the session that it is bound to, in the middle of the ceremony.
        const { parameters } = access;
        const registration = await parts.passkeys.register(holderOf(access), {
          session: requireParameter(parameters, 'auth_session'),
          response: requireParameter(parameters, 'passkey_response'),
          name: readName(parameters) ?? DEFAULT_NAME,
        });
        switch (registration.kind) {
          case 'registered':
            return json(201, describe(registration.passkey));
          case 'invalid_session':
            throw invalidSession();
          case 'malformed':
            throw invalidRequest('passkey_response is the JSON of a PublicKeyCredential');
          case 'refused':
            throw new OAuthError(400, 'access_denied', 'The passkey could not be verified', { reason: 'passkey' });
          case 'taken':
            throw new OAuthError(409, 'access_denied', 'The passkey is registered already, or there are too many', {
              reason: 'passkey_taken',
            });
        }
      },
    },
  },
};

/** Renames or removes one passkey. */
export const PASSKEY_ENDPOINT: Endpoint<'resource'> = {
  kind: 'resource',
  path: '/passkeys/{id}',
  methods: {
    PATCH: {
      description: {
        operationId: 'renamePasskey',
        parameters: idInPath('Credential id in base64url'),
        summary: 'Rename a passkey',
        form: { required: ['name'], fields: { name: text('At most 64 characters') } },
        responses: { 200: jsonBody('Renamed', ref('Passkey')), 404: NOT_FOUND },
      },
      answer: async (access, { passkeys }) => {
        const name = readName(access.parameters);
        if (name === null) throw invalidRequest('The parameter name is missing');
        const passkey = await passkeys.rename(holderOf(access), readCredentialId(access), name);
        if (passkey === null) throw unknownResource();
        return json(200, describe(passkey));
      },
    },
    DELETE: {
      description: {
        operationId: 'removePasskey',
        parameters: idInPath('Credential id in base64url'),
        summary: 'Remove a passkey',
        description: 'Needs a recent authentication. Sessions that it began go on.',
        responses: { 204: DONE, 404: NOT_FOUND, 409: LAST_CREDENTIAL },
      },
      answer: async (access, parts) => {
        requireRecentAuthentication(access, parts);
        const change = await parts.passkeys.remove(holderOf(access), readCredentialId(access));
        if (change.kind === 'unknown') throw unknownResource();
        if (change.kind === 'last_credential') throw lastCredential();
        return noContent();
      },
    },
  },
};

function holderOf({ claims, client }: Access): PasskeyHolder {
  return { sub: claims.sub, sid: claims.sid, client };
}

function readName(parameters: Parameters): string | null {
  const name = parameters.get('name')?.trim() ?? '';
  if (name.length > NAME_LENGTH) throw invalidRequest(`name is at most ${NAME_LENGTH} characters`);
  return name === '' ? null : name;
}

function readCredentialId({ id }: Access): Buffer {
  if (!CREDENTIAL_ID.test(id)) throw unknownResource();
  return Buffer.from(id, 'base64url');
}

function describe(passkey: PasskeyRecord): object {
  return {
    id: passkey.credentialId.toString('base64url'),
    name: passkey.name,
    rp_id: passkey.rpId,
    created_at: toSeconds(passkey.createdAtMs),
    last_used_at: passkey.lastUsedAtMs === null ? null : toSeconds(passkey.lastUsedAtMs),
    backup_eligible: passkey.isBackupEligible,
    backed_up: passkey.isBackedUp,
    transports: passkey.transports,
    aaguid: passkey.aaguid,
  };
}
