import { HoldfastError, type ApiRequestOptions } from 'holdfast';
import { api } from '../session/session.ts';
import { explainRequestFailure } from '../session/wording.ts';

/** A passkey of the user, as the server lists it. Times are seconds since 1970. */
export type Passkey = {
  readonly id: string;
  readonly name: string;
  readonly created_at: number;
  readonly last_used_at: number | null;
  readonly backed_up: boolean;
};

/** A session of the user, as the server lists it. Times are seconds since 1970. */
export type Device = {
  readonly sid: string;
  readonly current: boolean;
  readonly device_label: string | null;
  readonly user_agent: string | null;
  readonly address: string | null;
  readonly created_at: number;
  readonly last_used_at: number;
  readonly signed_in_with: 'password' | 'passkey';
};

/** A form in words: Expo's fetch names no type for a `URLSearchParams`. */
const form = (fields: Readonly<Record<string, string>>): ApiRequestOptions => ({
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams(fields).toString(),
});

/** The user's passkeys, oldest first. */
export async function listPasskeys(signal: AbortSignal): Promise<readonly Passkey[]> {
  return (await api.get('passkeys', { signal }).json<{ readonly passkeys: readonly Passkey[] }>()).passkeys;
}

export async function renamePasskey(id: string, name: string): Promise<void> {
  await api.patch(`passkeys/${id}`, form({ name }));
}

export async function removePasskey(id: string): Promise<void> {
  await api.delete(`passkeys/${id}`);
}

/** The user's sessions: this one first, then by last use. */
export async function listDevices(signal: AbortSignal): Promise<readonly Device[]> {
  const { sessions } = await api.get('sessions', { signal }).json<{ readonly sessions: readonly Device[] }>();
  return sessions.toSorted((a, b) => Number(b.current) - Number(a.current) || b.last_used_at - a.last_used_at);
}

export async function endSession(sid: string): Promise<void> {
  await api.delete(`sessions/${sid}`);
}

/** Ends all sessions but this one. Resolves with their number. */
export async function endOtherSessions(): Promise<number> {
  return (await api.delete('sessions').json<{ readonly ended: number }>()).ended;
}

export async function changePassword(newPassword: string, endsOtherSessions: boolean): Promise<void> {
  await api.post('password', form({ new_password: newPassword, end_other_sessions: String(endsOtherSessions) }));
}

/** Why a change of credentials or devices failed, in a sentence. `refusals`: what a status means for this request. */
export function explainChangeFailure(error: unknown, refusals: Readonly<Record<number, string>> = {}): string {
  if (!(error instanceof HoldfastError)) return explainRequestFailure(error);
  const status = error.response?.status;
  if (error.code === 'step-up-declined' || status === 401)
    return 'Nothing was changed: you did not confirm that it is you.';
  return (status === undefined ? undefined : refusals[status]) ?? explainRequestFailure(error);
}
