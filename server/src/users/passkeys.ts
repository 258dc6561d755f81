import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server';
import type { CredentialChanged, Report } from '../kernel/events.ts';
import type { Policy } from '../kernel/policy.ts';
import type { Client } from '../registrations/clients.ts';
import type { SubjectStore } from '../storage/subject-store.ts';
import type { PasskeyRecord, PasskeyStore, UserChange, User } from '../storage/user-store.ts';
import type { PasskeyChallenge, PasskeyChallenges } from './passkey-challenges.ts';
import { readAssertion, readAttestation, verifyAssertion, verifyAttestation } from './passkey-responses.ts';
import { toUser } from './users.ts';

/** Starts a ceremony: the options for the browser, and the session that its response belongs to. */
export type CeremonyStart<Options> = {
  readonly session: string;
  readonly options: Options;
};

export type PasskeySignIn = {
  readonly client: Client;
  readonly codeChallenge: string;
  /** From {@link Passkeys.requestOptions}. */
  readonly session: string;
  /** JSON of the browser's `PublicKeyCredential`. */
  readonly response: string;
};

/**
 * - `unknown`: the passkey does not exist or was removed.
 * - `invalid_session`: the challenge is spent, has expired, or has another binding. A new ceremony helps.
 */
export type PasskeyVerdict =
  | { readonly kind: 'authenticated'; readonly user: User; readonly signInEpoch: number }
  | { readonly kind: 'malformed' | 'invalid_session' | 'unknown' | 'refused' };

/** A signed-in user who changes passkeys. */
export type PasskeyHolder = {
  readonly sub: string;
  readonly sid: string;
  readonly client: Client;
};

export type PasskeyRegistration =
  | { readonly kind: 'registered'; readonly passkey: PasskeyRecord }
  /** `taken`: the credential is already registered, or the user has reached the limit of passkeys. */
  | { readonly kind: 'malformed' | 'invalid_session' | 'refused' | 'taken' };

/** Passkeys: discoverable credentials with user verification. Every method may throw HoldfastError `unavailable`. */
export type Passkeys = {
  /** Starts a sign-in by autofill or button. Reads no database and reveals nothing about any user. */
  requestOptions(client: Client, codeChallenge: string): Promise<CeremonyStart<PublicKeyCredentialRequestOptionsJSON>>;
  authenticate(signIn: PasskeySignIn): Promise<PasskeyVerdict>;
  creationOptions(holder: PasskeyHolder, user: User): Promise<CeremonyStart<PublicKeyCredentialCreationOptionsJSON>>;
  register(
    holder: PasskeyHolder,
    answer: { readonly session: string; readonly response: string; readonly name: string },
  ): Promise<PasskeyRegistration>;
  list(sub: string): Promise<readonly PasskeyRecord[]>;
  /** @returns null if the user has no such passkey */
  rename(holder: PasskeyHolder, credentialId: Buffer, name: string): Promise<PasskeyRecord | null>;
  remove(holder: PasskeyHolder, credentialId: Buffer): Promise<UserChange>;
};

export type PasskeysParts = {
  readonly store: PasskeyStore;
  readonly userHandleOf: SubjectStore['userHandleOf'];
  readonly challenges: PasskeyChallenges;
  readonly policy: Pick<Policy, 'passkeyChallengeLifetimeSeconds' | 'passkeysPerUser'>;
  readonly report: Report;
};

/** @see WebAuthn Level 3 §7 */
export function createPasskeys(parts: PasskeysParts): Passkeys {
  const { store, userHandleOf, challenges, policy, report } = parts;
  const timeout = policy.passkeyChallengeLifetimeSeconds * 1_000;
  const reportChange = ({ sub, sid }: PasskeyHolder, change: CredentialChanged['change']): void =>
    report({ type: 'credential.changed', sub, sid, change });
  return {
    requestOptions: async (client, codeChallenge) => {
      const { challenge, session } = challenges.issue(signInBinding(client, codeChallenge));
      const options = await generateAuthenticationOptions({
        rpID: client.passkeys.rpId,
        challenge: new Uint8Array(challenge),
        timeout,
        userVerification: 'required',
      });
      return { session, options };
    },
    authenticate: (signIn) => authenticate(signIn, parts),
    creationOptions: async (holder, user) => {
      const { rpId } = holder.client.passkeys;
      const { challenge, session } = challenges.issue(registrationBinding(holder));
      const existing = (await store.list(holder.sub)).filter((passkey) => passkey.rpId === rpId);
      const options = await generateRegistrationOptions({
        rpName: rpId,
        rpID: rpId,
        userID: new Uint8Array(await userHandleOf(holder.sub)),
        userName: user.username,
        userDisplayName: user.name,
        challenge: new Uint8Array(challenge),
        timeout,
        attestationType: 'none',
        excludeCredentials: existing.map(({ credentialId, transports }) => ({
          id: credentialId.toString('base64url'),
          transports: [...transports],
        })),
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      });
      return { session, options };
    },
    register: async (holder, { session, response, name }) => {
      const challenge = challenges.open(session, registrationBinding(holder));
      if (challenge === null) return { kind: 'invalid_session' };
      return answerOnce<PasskeyRegistration>(challenge, parts, async (spend) => {
        const attestation = readAttestation(response);
        if (attestation === null) return { kind: 'malformed' };
        const verified = await verifyAttestation(attestation, challenge.challenge, holder.client.passkeys);
        if (verified === null) return { kind: 'refused' };
        if (!(await spend())) return { kind: 'invalid_session' };
        const { sub, client } = holder;
        const { rpId } = client.passkeys;
        const userHandle = await userHandleOf(sub);
        const passkey = await store.insert({ ...verified, sub, userHandle, rpId, name }, policy.passkeysPerUser);
        if (passkey === null) return { kind: 'taken' };
        reportChange(holder, 'passkey_added');
        return { kind: 'registered', passkey };
      });
    },
    list: (sub) => store.list(sub),
    rename: async (holder, credentialId, name) => {
      const passkey = await store.rename(holder.sub, credentialId, name);
      if (passkey !== null) reportChange(holder, 'passkey_renamed');
      return passkey;
    },
    remove: async (holder, credentialId) => {
      const change = await store.delete(holder.sub, credentialId);
      if (change.kind === 'changed') reportChange(holder, 'passkey_removed');
      return change;
    },
  };
}

function signInBinding({ clientId }: Client, codeChallenge: string): readonly string[] {
  return ['sign-in', clientId, codeChallenge];
}

function registrationBinding({ sub, sid, client }: PasskeyHolder): readonly string[] {
  return ['registration', client.clientId, sub, sid];
}

/**
 * Judges one response to a challenge. Each response spends its challenge before it is read, whether it is valid or not.
 * If one response is sent many times, at most one request proceeds. A failure on our side releases the challenge.
 *
 * @param judge calls `spend` once the response proved valid; `spend` returns false if another node has accepted a valid
 *   response to the challenge, or the challenge has expired
 */
async function answerOnce<Verdict>(
  { challenge, expiresAtSeconds }: PasskeyChallenge,
  { store, challenges }: PasskeysParts,
  judge: (spend: () => Promise<boolean>) => Promise<Verdict>,
): Promise<Verdict | { readonly kind: 'invalid_session' }> {
  if (!challenges.claim(challenge)) return { kind: 'invalid_session' };
  try {
    return await judge(() => store.spendChallenge(challenge, expiresAtSeconds));
  } catch (error) {
    challenges.release(challenge);
    throw error;
  }
}

/** @see WebAuthn Level 3 §7.2 */
async function authenticate(
  { client, codeChallenge, session, response }: PasskeySignIn,
  parts: PasskeysParts,
): Promise<PasskeyVerdict> {
  const { store, challenges, report } = parts;
  const challenge = challenges.open(session, signInBinding(client, codeChallenge));
  if (challenge === null) return { kind: 'invalid_session' };
  return answerOnce<PasskeyVerdict>(challenge, parts, async (spend) => {
    const assertion = readAssertion(response);
    if (assertion === null) return { kind: 'malformed' };
    const { credentialId } = assertion;
    const found = await store.find(credentialId);
    if (found === null) return { kind: 'unknown' };
    const { passkey, user } = found;
    const verified = await verifyAssertion(assertion, challenge.challenge, passkey, client.passkeys);
    if (verified === null || user.isDisabled) return { kind: 'refused' };
    if (!(await spend())) return { kind: 'invalid_session' };
    if (passkey.signCount > 0 && verified.signCount <= passkey.signCount) {
      const { sub } = passkey;
      report({ type: 'passkey.counter_regressed', sub, credentialId: credentialId.toString('base64url') });
    }
    // The passkey may have been removed meanwhile.
    if (!(await store.noteUse(credentialId, verified))) return { kind: 'unknown' };
    return { kind: 'authenticated', user: toUser(user), signInEpoch: user.signInEpoch };
  });
}
