import { useEffect, useState } from 'react';
import { api } from './session.ts';

/** The signed-in user, from `GET /me`. */
export type Profile = { readonly sub: string; readonly username: string; readonly name: string };

const storageKey = 'holdfast-demo.profile';

function isProfile(value: unknown): value is Profile {
  if (typeof value !== 'object' || value === null) return false;
  return ['sub', 'username', 'name'].every((field) => typeof (value as Record<string, unknown>)[field] === 'string');
}

/** The profile from an earlier page, if it is this user's. It is no secret, and lets a reload greet at once. */
function recallProfile(sub: string | null): Profile | null {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(storageKey) ?? 'null');
    return isProfile(stored) && stored.sub === sub ? stored : null;
  } catch {
    return null;
  }
}

/** Keeps the profile for the next page, or forgets it with `null`. */
export function rememberProfile(profile: Profile | null): void {
  try {
    if (profile === null) localStorage.removeItem(storageKey);
    else localStorage.setItem(storageKey, JSON.stringify(profile));
  } catch {
    // Storage may be blocked: then every page asks the server.
  }
}

async function fetchProfile(signal: AbortSignal): Promise<Profile | null> {
  try {
    const answer = await api.get('me', { signal }).json();
    if (!isProfile(answer)) return null;
    const { sub, username, name } = answer;
    return { sub, username, name };
  } catch {
    // Without an answer the page goes without a name; whatever ended the session is told elsewhere.
    return null;
  }
}

/** The profile of the user `sub`: the remembered one at once, then the server's. `null` until either is there. */
export function useProfile(sub: string | null): Profile | null {
  const [profile, setProfile] = useState(() => recallProfile(sub));
  useEffect(() => {
    const controller = new AbortController();
    const load = async (): Promise<void> => {
      const answer = await fetchProfile(controller.signal);
      if (controller.signal.aborted || answer === null || (sub !== null && answer.sub !== sub)) return;
      setProfile(answer);
      rememberProfile(answer);
    };
    void load();
    return () => controller.abort();
  }, [sub]);
  return profile;
}
