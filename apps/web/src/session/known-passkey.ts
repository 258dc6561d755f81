const storageKey = 'holdfast-demo.passkey';

/**
 * True if the user `sub` registered or used a passkey in this browser. Browsers tell no page which passkeys they
 * hold, so the page remembers: it is asked for first where it helped before.
 */
export function knowsPasskey(sub: string | null): boolean {
  try {
    return sub !== null && localStorage.getItem(storageKey) === sub;
  } catch {
    return false;
  }
}

/** A passkey of `sub` was used here; `null`: the one that was known here is no more. */
export function rememberPasskey(sub: string | null): void {
  try {
    if (sub === null) localStorage.removeItem(storageKey);
    else localStorage.setItem(storageKey, sub);
  } catch {
    // Storage may be blocked: then the password is asked for first.
  }
}
