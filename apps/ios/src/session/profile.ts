import { useEffect, useState } from 'react';
import { recall, remember } from './memory.ts';
import { api } from './session.ts';

/** The signed-in user, from `GET /me`. */
export type Profile = { readonly sub: string; readonly username: string; readonly name: string };

const memoryName = 'profile';

function isProfile(value: unknown): value is Profile {
  if (typeof value !== 'object' || value === null) return false;
  return ['sub', 'username', 'name'].every((field) => typeof (value as Record<string, unknown>)[field] === 'string');
}

/** The profile from before, if it is this user's: it lets the app greet at once. */
function recallProfile(sub: string | null): Profile | null {
  const known = recall(memoryName);
  return isProfile(known) && known.sub === sub ? known : null;
}

/** Forgets who was signed in. */
export const forgetProfile = (): void => remember(memoryName, null);

/** The profile of the user `sub`: the remembered one at once, then the server's. `null` until either is there. */
export function useProfile(sub: string | null): Profile | null {
  const [profile, setProfile] = useState(() => recallProfile(sub));
  useEffect(() => {
    const controller = new AbortController();
    const load = async (): Promise<void> => {
      // Without an answer the app goes without a name; whatever ended the session is told elsewhere.
      const answer = await api
        .get('me', { signal: controller.signal })
        .json()
        .catch(() => null);
      if (controller.signal.aborted || !isProfile(answer) || (sub !== null && answer.sub !== sub)) return;
      setProfile(answer);
      remember(memoryName, { sub: answer.sub, username: answer.username, name: answer.name });
    };
    void load();
    return () => controller.abort();
  }, [sub]);
  return profile;
}
