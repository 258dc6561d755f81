import {
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
  type AuthenticationResponseJSON,
  type RegistrationResponseJSON,
} from '@simplewebauthn/server';
import type { PasskeyRelyingParty } from '../registrations/clients.ts';
import type { NewPasskeyRecord, PasskeyRecord } from '../storage/user-store.ts';
import { isSoundPasskey } from './passkey-key.ts';

/** A well-formed browser response, not yet verified. */
export type PasskeyResponse<Json> = {
  readonly json: Json;
  readonly credentialId: Buffer;
};

/** Facts that the authenticator's signature covers. */
export type VerifiedUse = Pick<PasskeyRecord, 'signCount' | 'isBackedUp'>;
export type VerifiedCredential = Omit<NewPasskeyRecord, 'sub' | 'userHandle' | 'rpId' | 'name'>;

const BASE64URL = /^[A-Za-z0-9_-]+$/;
/** WebAuthn Level 3 §5.8.3: an id is at most 1023 bytes. */
const MAXIMUM_ID_BYTES = 1_023;
/** The form of every WebAuthn transport, known or future. The browser reports transports without a signature. */
const TRANSPORT = /^[a-z-]{1,32}$/;
const MAXIMUM_TRANSPORTS = 8;

/** @returns null unless the text is the JSON of an assertion */
export function readAssertion(text: string): PasskeyResponse<AuthenticationResponseJSON> | null {
  return readResponse(text, ['clientDataJSON', 'authenticatorData', 'signature']);
}

/** @returns null unless the text is the JSON of an attestation */
export function readAttestation(text: string): PasskeyResponse<RegistrationResponseJSON> | null {
  return readResponse(text, ['clientDataJSON', 'attestationObject']);
}

function readResponse<Json extends AuthenticationResponseJSON | RegistrationResponseJSON>(
  text: string,
  members: readonly string[],
): PasskeyResponse<Json> | null {
  const json = parseObject(text);
  const response = json?.['response'];
  if (json === null || !isObject(response)) return null;
  const { id, rawId, type } = json;
  if (typeof id !== 'string' || !BASE64URL.test(id) || id !== rawId || type !== 'public-key') return null;
  const isComplete = members.every((name) => typeof response[name] === 'string' && BASE64URL.test(response[name]));
  const credentialId = Buffer.from(id, 'base64url');
  if (!isComplete || credentialId.byteLength > MAXIMUM_ID_BYTES) return null;
  // The members that verification reads are strings. The library ignores or checks the others.
  return { json: json as unknown as Json, credentialId };
}

/**
 * Verifies a sign-in's response and requires user verification.
 *
 * @returns null unless every step of the procedure holds
 * @see WebAuthn Level 3 §7.2
 */
export async function verifyAssertion(
  { json }: PasskeyResponse<AuthenticationResponseJSON>,
  challenge: Buffer,
  passkey: PasskeyRecord,
  relyingParty: PasskeyRelyingParty,
): Promise<VerifiedUse | null> {
  // The user is not yet identified, so the authenticator must name the credential's owner (step 6).
  if (json.response.userHandle !== passkey.userHandle.toString('base64url')) return null;
  if (passkey.rpId !== relyingParty.rpId || isFramed(json.response.clientDataJSON)) return null;
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: json,
      expectedChallenge: challenge.toString('base64url'),
      expectedOrigin: [...relyingParty.origins],
      expectedRPID: relyingParty.rpId,
      requireUserVerification: true,
      // A counter of 0 stops the library from refusing a counter that does not grow. The caller reports that signal.
      credential: { id: json.id, publicKey: new Uint8Array(passkey.publicKey), counter: 0 },
    });
    const { credentialDeviceType, credentialBackedUp, newCounter } = authenticationInfo;
    // Backup eligibility never changes during the life of a credential (step 19).
    const isSameKind = (credentialDeviceType === 'multiDevice') === passkey.isBackupEligible;
    return verified && isSameKind ? { signCount: newCounter, isBackedUp: credentialBackedUp } : null;
  } catch {
    // Refuse the response on any library error. Drop the message, because it may quote the response.
    return null;
  }
}

/**
 * Verifies a registration's response and requires user verification. Requests no attestation.
 *
 * @returns null unless every step of the procedure holds
 * @see WebAuthn Level 3 §7.1
 */
export async function verifyAttestation(
  { json, credentialId }: PasskeyResponse<RegistrationResponseJSON>,
  challenge: Buffer,
  relyingParty: PasskeyRelyingParty,
): Promise<VerifiedCredential | null> {
  if (isFramed(json.response.clientDataJSON)) return null;
  try {
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response: json,
      expectedChallenge: challenge.toString('base64url'),
      expectedOrigin: [...relyingParty.origins],
      expectedRPID: relyingParty.rpId,
      requireUserVerification: true,
    });
    if (!verified) return null;
    const { credential, credentialDeviceType, credentialBackedUp, aaguid } = registrationInfo;
    // Trust only the id in the authenticator data.
    if (credential.id !== json.id || !isSoundPasskey(credential.publicKey)) return null;
    return {
      credentialId,
      publicKey: Buffer.from(credential.publicKey),
      signCount: credential.counter,
      transports: readTransports(json.response.transports),
      aaguid,
      isBackupEligible: credentialDeviceType === 'multiDevice',
      isBackedUp: credentialBackedUp,
    };
  } catch {
    return null;
  }
}

/**
 * Detects a ceremony that ran inside a frame; our pages never do that. In a top-level window `crossOrigin` is false or
 * absent, and `topOrigin` is absent.
 *
 * @see WebAuthn Level 3 §5.8.1, §7.1 steps 10 and 11
 */
function isFramed(clientDataJSON: string): boolean {
  const clientData = parseObject(Buffer.from(clientDataJSON, 'base64url').toString('utf8'));
  if (clientData === null) return true;
  const { crossOrigin = false, topOrigin } = clientData;
  return crossOrigin !== false || topOrigin !== undefined;
}

function readTransports(transports: unknown): readonly string[] {
  if (!Array.isArray(transports)) return [];
  return transports
    .filter((transport): transport is string => typeof transport === 'string' && TRANSPORT.test(transport))
    .slice(0, MAXIMUM_TRANSPORTS);
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
