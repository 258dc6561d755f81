import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** The members of `passkey_options` that an authenticator reads, in either ceremony. */
export type CeremonyOptions = {
  readonly challenge: string;
  readonly rp?: { readonly id?: string };
  readonly user?: { readonly id: string };
  readonly rpId?: string;
  readonly allowCredentials?: readonly unknown[];
};

/** Deviations of an authenticator or its browser. */
export type Deviation = {
  readonly origin?: string;
  readonly rpId?: string;
  readonly type?: string;
  readonly challenge?: string;
  readonly crossOrigin?: unknown;
  readonly topOrigin?: string;
  /** The public key to register, as a COSE_Key. Default: the authenticator's own. */
  readonly coseKey?: Buffer;
  readonly isUserPresent?: boolean;
  readonly isUserVerified?: boolean;
  readonly isBackupEligible?: boolean;
  readonly isBackedUp?: boolean;
  readonly signCount?: number;
  readonly userHandle?: string | null;
  /** Signs with an unregistered key. */
  readonly isForged?: boolean;
};

/** A software passkey for tests that no browser could run: it obeys every deviation. */
export type SoftAuthenticator = {
  readonly credentialId: string;
  /** `navigator.credentials.create`: JSON of a RegistrationResponseJSON. */
  create(options: CeremonyOptions, deviation?: Deviation): string;
  /** `navigator.credentials.get`: JSON of an AuthenticationResponseJSON. */
  get(options: CeremonyOptions, deviation?: Deviation): string;
};

const FLAGS = { userPresent: 0x01, userVerified: 0x04, backupEligible: 0x08, backedUp: 0x10, attested: 0x40 };

export function createSoftAuthenticator(origin: string): SoftAuthenticator {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const id = randomBytes(32);
  const credentialId = id.toString('base64url');
  let userHandle = '';
  const clientDataOf = (type: string, { challenge }: CeremonyOptions, deviation: Deviation): Buffer =>
    Buffer.from(
      JSON.stringify({
        type: deviation.type ?? type,
        challenge: deviation.challenge ?? challenge,
        origin: deviation.origin ?? origin,
        crossOrigin: 'crossOrigin' in deviation ? deviation.crossOrigin : false,
        topOrigin: deviation.topOrigin,
      }),
    );
  return {
    credentialId,
    create: (options, deviation = {}) => {
      userHandle = options.user?.id ?? '';
      const length = Buffer.alloc(2);
      length.writeUInt16BE(id.byteLength);
      const coseKey = deviation.coseKey ?? coseKeyOf(publicKey.export({ format: 'jwk' }));
      const attested = Buffer.concat([Buffer.alloc(16), length, id, coseKey]);
      const authData = Buffer.concat([headOf(options.rp?.id ?? '', FLAGS.attested, deviation), attested]);
      const clientData = clientDataOf('webauthn.create', options, deviation);
      return JSON.stringify({
        id: credentialId,
        rawId: credentialId,
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          clientDataJSON: clientData.toString('base64url'),
          attestationObject: attestationObjectOf(authData).toString('base64url'),
          transports: ['internal', 'hybrid'],
        },
      });
    },
    get: (options, deviation = {}) => {
      const authData = headOf(options.rpId ?? '', 0, deviation);
      const clientData = clientDataOf('webauthn.get', options, deviation);
      const signed = Buffer.concat([authData, sha256(clientData)]);
      const signature = sign('sha256', signed, deviation.isForged ? foreign.privateKey : privateKey);
      const handle = deviation.userHandle === undefined ? userHandle : deviation.userHandle;
      return JSON.stringify({
        id: credentialId,
        rawId: credentialId,
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          clientDataJSON: clientData.toString('base64url'),
          authenticatorData: authData.toString('base64url'),
          signature: signature.toString('base64url'),
          ...(handle !== null && { userHandle: handle }),
        },
      });
    },
  };
}

/** The first 37 bytes of authenticator data. @see WebAuthn Level 3 §6.1 */
function headOf(rpId: string, flags: number, deviation: Deviation): Buffer {
  const head = Buffer.alloc(37);
  sha256(Buffer.from(deviation.rpId ?? rpId)).copy(head);
  head[32] =
    flags |
    (deviation.isUserPresent === false ? 0 : FLAGS.userPresent) |
    (deviation.isUserVerified === false ? 0 : FLAGS.userVerified) |
    (deviation.isBackupEligible === false ? 0 : FLAGS.backupEligible) |
    (deviation.isBackedUp ? FLAGS.backedUp : 0);
  head.writeUInt32BE(deviation.signCount ?? 0, 33);
  return head;
}

/** COSE_Key of an ES256 key, in CBOR. @see RFC 9053 §7.1.1 */
function coseKeyOf({ x = '', y = '' }: { readonly x?: string; readonly y?: string }): Buffer {
  return Buffer.concat([
    Buffer.from('a5010203262001215820', 'hex'),
    Buffer.from(x, 'base64url'),
    Buffer.from('225820', 'hex'),
    Buffer.from(y, 'base64url'),
  ]);
}

/** `{fmt: "none", attStmt: {}, authData}` in CBOR. */
function attestationObjectOf(authData: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(authData.byteLength);
  return Buffer.concat([
    Buffer.from('a363', 'hex'),
    Buffer.from('fmt'),
    Buffer.from('64', 'hex'),
    Buffer.from('none'),
    Buffer.from('67', 'hex'),
    Buffer.from('attStmt'),
    Buffer.from('a068', 'hex'),
    Buffer.from('authData'),
    Buffer.from('59', 'hex'),
    length,
    authData,
  ]);
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
