const storageKey = 'holdfast-demo.drafts';

/** A note that the server may not have yet. `key`: its idempotency key. */
export type StoredDraft = { readonly key: string; readonly text: string };

type Stored = { readonly sub: string | null; readonly drafts: readonly StoredDraft[] };

/** The notes that the user `sub` has written in this browser and that may not have arrived. */
export function recallDrafts(sub: string | null): readonly StoredDraft[] {
  try {
    const stored = JSON.parse(localStorage.getItem(storageKey) ?? 'null') as Stored | null;
    return stored?.sub === sub && Array.isArray(stored.drafts) ? stored.drafts : [];
  } catch {
    return [];
  }
}

/** Keeps the notes that have not arrived. */
export function rememberDrafts(sub: string | null, drafts: readonly StoredDraft[]): void {
  try {
    if (drafts.length === 0) return localStorage.removeItem(storageKey);
    const stored: Stored = { sub, drafts: drafts.map(({ key, text }) => ({ key, text })) };
    localStorage.setItem(storageKey, JSON.stringify(stored));
  } catch {
    // Storage may be blocked: then they last as long as the page.
  }
}
