const json = (description: string, schema: object): object => ({
  description,
  content: { 'application/json': { schema } },
});

const ref = (name: string): object => ({ $ref: `#/components/schemas/${name}` });

const form = (required: readonly string[], properties: Readonly<Record<string, object>>): object => ({
  required: true,
  content: { 'application/x-www-form-urlencoded': { schema: { type: 'object', required, properties } } },
});

const text = (description: string): object => ({ type: 'string', description });
const seconds = (description: string): object => ({
  type: 'integer',
  description: `${description}, seconds since 1970`,
});

const SECURITY = [{ accessToken: [] }];

/** Error responses of every endpoint that takes an access token. */
const ERRORS = {
  400: json('Refused; `error` and `reason` say why', ref('Error')),
  401: json(
    'No valid access token, or (RFC 9470) the user has to authenticate again: `WWW-Authenticate`',
    ref('Error'),
  ),
  429: json('Come back after `Retry-After` seconds', ref('Error')),
  503: json('The server cannot answer now; repeat the request after `Retry-After` seconds', ref('Error')),
};
const NOT_FOUND = { 404: json('There is no such thing of this user', ref('Error')) };
const LAST_CREDENTIAL = { 409: json('It is the only way to sign in that is left', ref('Error')) };
const DONE = { 204: { description: 'Done' } };

const idOf = (description: string): readonly object[] => [
  { name: 'id', in: 'path', required: true, description, schema: { type: 'string' } },
];

const SID = idOf('`sid` of the session');
const CREDENTIAL_ID = idOf('Credential id in base64url');

const CEREMONY = {
  type: 'object',
  required: ['auth_session', 'passkey_options'],
  properties: {
    auth_session: text('Goes back with the response'),
    passkey_options: { type: 'object', description: 'WebAuthn: PublicKeyCredentialCreationOptionsJSON' },
  },
};

/** Operations of signed-in users on their own sessions and credentials. */
export const RESOURCE_OPERATIONS = {
  '/sessions': {
    get: {
      operationId: 'listSessions',
      summary: "The user's devices",
      security: SECURITY,
      parameters: [
        { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 100, default: 100 } },
        { name: 'after', in: 'query', schema: { type: 'string' }, description: '`next` of the page before' },
      ],
      responses: {
        200: json('One entry for each device, the one used last first', {
          type: 'object',
          required: ['sessions', 'next'],
          properties: { sessions: { type: 'array', items: ref('Session') }, next: { type: ['string', 'null'] } },
        }),
        ...ERRORS,
      },
    },
    delete: {
      operationId: 'endOtherSessions',
      summary: 'End every other session of the user',
      description: 'Needs a recent authentication.',
      security: SECURITY,
      responses: {
        200: json('How many ended', ref('EndedSessions')),
        ...ERRORS,
      },
    },
  },
  '/sessions/{id}': {
    patch: {
      operationId: 'labelSession',
      parameters: SID,
      summary: 'Name the device of a session',
      security: SECURITY,
      requestBody: form([], { device_label: text('At most 64 characters; left out: no name') }),
      responses: { ...DONE, ...ERRORS, ...NOT_FOUND },
    },
    delete: {
      operationId: 'endSession',
      parameters: SID,
      summary: 'Sign out of this session, or end another device',
      description: 'Another one than the own needs a recent authentication.',
      security: SECURITY,
      responses: { ...DONE, ...ERRORS, ...NOT_FOUND },
    },
  },
  '/passkeys': {
    get: {
      operationId: 'listPasskeys',
      summary: "The user's passkeys",
      security: SECURITY,
      responses: {
        200: json('Oldest first', {
          type: 'object',
          required: ['passkeys'],
          properties: { passkeys: { type: 'array', items: ref('Passkey') } },
        }),
        ...ERRORS,
      },
    },
    post: {
      operationId: 'registerPasskey',
      summary: 'Register a passkey',
      description: 'The options were given after a recent authentication; no other one is needed.',
      security: SECURITY,
      requestBody: form(['auth_session', 'passkey_response'], {
        auth_session: text('From /passkeys/options'),
        passkey_response: text('JSON of the RegistrationResponseJSON'),
        name: text('At most 64 characters'),
      }),
      responses: {
        201: json('Registered', ref('Passkey')),
        ...ERRORS,
        409: json('It is registered already, or there are too many', ref('Error')),
      },
    },
  },
  '/passkeys/options': {
    post: {
      operationId: 'beginPasskey',
      summary: 'Begin the registration of a passkey',
      description: 'Needs a recent authentication.',
      security: SECURITY,
      requestBody: form([], {}),
      responses: { 200: json('What the browser is given', CEREMONY), ...ERRORS, ...NOT_FOUND },
    },
  },
  '/passkeys/{id}': {
    patch: {
      operationId: 'renamePasskey',
      parameters: CREDENTIAL_ID,
      summary: 'Rename a passkey',
      security: SECURITY,
      requestBody: form(['name'], { name: text('At most 64 characters') }),
      responses: { 200: json('Renamed', ref('Passkey')), ...ERRORS, ...NOT_FOUND },
    },
    delete: {
      operationId: 'removePasskey',
      parameters: CREDENTIAL_ID,
      summary: 'Remove a passkey',
      description: 'Needs a recent authentication. Sessions that it began go on.',
      security: SECURITY,
      responses: { ...DONE, ...ERRORS, ...NOT_FOUND, ...LAST_CREDENTIAL },
    },
  },
  '/password': {
    post: {
      operationId: 'changePassword',
      summary: 'Change or set the own password',
      description: 'Needs a recent authentication.',
      security: SECURITY,
      requestBody: form(['new_password'], {
        new_password: { type: 'string', format: 'password' },
        end_other_sessions: { type: 'string', enum: ['true', 'false'], description: 'Default: true' },
      }),
      responses: { 200: json('How many sessions ended with it', ref('EndedSessions')), ...ERRORS, ...NOT_FOUND },
    },
    delete: {
      operationId: 'removePassword',
      summary: 'Remove the own password, while a passkey is left',
      description: 'Needs a recent authentication.',
      security: SECURITY,
      responses: { ...DONE, ...ERRORS, ...NOT_FOUND, ...LAST_CREDENTIAL },
    },
  },
} as const;

export const RESOURCE_SCHEMAS = {
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
};
