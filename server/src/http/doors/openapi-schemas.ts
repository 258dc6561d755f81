import { text } from '../description.ts';

const seconds = (description: string): object => ({
  type: 'integer',
  description: `${description}, seconds since 1970`,
});

/** Schemas that descriptions name with `ref`. */
export const SCHEMAS = {
  EndedSessions: {
    type: 'object',
    required: ['ended', 'is_complete'],
    properties: {
      ended: { type: 'integer' },
      is_complete: { type: 'boolean', description: 'False: there are so many that the rest ends a moment later' },
    },
  },
  Session: {
    type: 'object',
    required: [
      'sid',
      'device_id',
      'current',
      'client_id',
      'signed_in_with',
      'created_at',
      'last_used_at',
      'expires_at',
    ],
    properties: {
      sid: { type: 'string', format: 'uuid' },
      device_id: { type: 'string', format: 'uuid' },
      current: { type: 'boolean', description: 'Whether it is the device that asks' },
      client_id: text('Client of the session'),
      device_label: { type: ['string', 'null'] },
      user_agent: text('As of the last use of its refresh token'),
      address: text('As of the last use of its refresh token'),
      created_at: seconds('Sign-in'),
      last_used_at: seconds('Last use of its refresh token'),
      expires_at: seconds('End of its absolute lifetime'),
      signed_in_with: { type: 'string', enum: ['password', 'passkey'] },
      auth_time: seconds('Last authentication'),
      amr: { type: 'array', items: text('RFC 8176') },
      acr: { type: 'string' },
    },
  },
  Passkey: {
    type: 'object',
    required: ['id', 'name', 'rp_id', 'created_at', 'last_used_at', 'backup_eligible', 'backed_up'],
    properties: {
      id: text('Credential id in base64url'),
      name: { type: 'string' },
      rp_id: text('Domain that it belongs to'),
      created_at: seconds('Registration'),
      last_used_at: { type: ['integer', 'null'] },
      backup_eligible: { type: 'boolean', description: 'Whether it may be synced between devices' },
      backed_up: { type: 'boolean', description: 'Whether it is' },
      transports: { type: 'array', items: { type: 'string' } },
      aaguid: text('Model of the authenticator, unverified'),
    },
  },
  Error: {
    type: 'object',
    required: ['error'],
    properties: {
      error: text('RFC 6749 section 5.2'),
      error_description: text('For people'),
      reason: text('For machines: why exactly'),
      successor: {
        type: 'string',
        format: 'uuid',
        description: 'With the reason `replaced`: the session of the same device to go on with',
      },
      sessions: {
        type: 'array',
        items: { type: 'string', format: 'uuid' },
        description: 'The live sessions of a browser of which the request named none',
      },
    },
  },
  Tokens: {
    type: 'object',
    required: ['access_token', 'token_type', 'expires_in', 'scope', 'sid', 'sub'],
    properties: {
      access_token: text('RFC 9068'),
      token_type: { type: 'string', enum: ['Bearer', 'DPoP'] },
      expires_in: { type: 'integer' },
      scope: { type: 'string' },
      resource: text('What the access token is for: its audience (RFC 8707)'),
      refresh_token: text('Only when one is handed out; otherwise keep the one you have'),
      refresh_token_timeout: { type: 'integer', description: 'Seconds until the inactivity timeout' },
      authorization_expires_in: { type: 'integer', description: 'Seconds until the session ends for good' },
      sid: { type: 'string', format: 'uuid' },
      sub: text('The user, as the directory of users names them'),
      device_id: { type: 'string', format: 'uuid', description: 'The chain of sessions of this device' },
      device_sequence: { type: 'integer', description: 'Of two sessions of one chain, keep the one with the larger' },
    },
  },
  Readiness: {
    type: 'object',
    required: ['status', 'checks'],
    properties: {
      status: { type: 'string', enum: ['ready', 'not_ready'] },
      checks: { type: 'object', additionalProperties: { type: 'string' } },
    },
  },
};
