/** The text remembered under a name, or `null`. For text that is no secret and may be lost. */
export function recall(name: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(name) ?? 'null') as unknown;
  } catch {
    return null;
  }
}

/** Remembers a value under a name; `null` forgets it. */
export function remember(name: string, value: unknown): void {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Storage may be blocked: then the server is asked next time.
  }
}
