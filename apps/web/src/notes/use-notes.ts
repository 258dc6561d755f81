import { useEffect, useState } from 'react';
import { api } from '../session/session.ts';
import { explainRequestFailure } from '../session/wording.ts';

/** A note that the server has. */
export type Note = { readonly id: string; readonly text: string; readonly createdAt: string };

/** A note on its way; `failure` says why it did not arrive. */
export type Draft = { readonly key: string; readonly text: string; readonly failure: string | null };

/** The notes as far as they are known, newest first. */
export type Notes = {
  /** `null` while they are loaded for the first time. */
  readonly notes: readonly Note[] | null;
  /** Why the last attempt to load them failed. */
  readonly failure: string | null;
  readonly drafts: readonly Draft[];
  readonly reload: () => void;
  readonly add: (text: string) => void;
  readonly retry: (draft: Draft) => void;
  readonly discard: (draft: Draft) => void;
};

/** Notes, or why there are none. */
type Loaded = { readonly notes: readonly Note[] | null; readonly failure: string | null };

async function loadNotes(signal?: AbortSignal): Promise<Loaded> {
  try {
    const answer = api.get('notes', signal === undefined ? {} : { signal });
    const { notes } = await answer.json<{ readonly notes: readonly Note[] }>();
    return { notes, failure: null };
  } catch (error) {
    return { notes: null, failure: explainRequestFailure(error) };
  }
}

/** Loads the notes and adds to them. A note is shown at once, and marked until the server has it. */
export function useNotes(): Notes {
  const [loaded, setLoaded] = useState<Loaded>({ notes: null, failure: null });
  const [drafts, setDrafts] = useState<readonly Draft[]>([]);

  useEffect(() => {
    const controller = new AbortController();
    const load = async (): Promise<void> => {
      const answer = await loadNotes(controller.signal);
      if (!controller.signal.aborted) setLoaded(answer);
    };
    void load();
    return () => controller.abort();
  }, []);

  const reload = async (): Promise<void> => {
    setLoaded({ notes: null, failure: null });
    setLoaded(await loadNotes());
  };

  const send = async ({ key, text }: Draft): Promise<void> => {
    const change = (next: readonly Draft[]) =>
      setDrafts((all) => all.flatMap((draft) => (draft.key === key ? next : [draft])));
    change([{ key, text, failure: null }]);
    try {
      // The key makes the server store the note once, however often the request is repeated.
      const note = await api.post('notes', { json: { text }, idempotencyKey: key }).json<Note>();
      change([]);
      setLoaded(({ notes, failure }) => ({
        notes: [note, ...(notes ?? []).filter(({ id }) => id !== note.id)],
        failure,
      }));
    } catch (error) {
      change([{ key, text, failure: explainRequestFailure(error) }]);
    }
  };

  return {
    ...loaded,
    drafts,
    reload: () => void reload(),
    add: (text) => {
      const draft: Draft = { key: crypto.randomUUID(), text, failure: null };
      setDrafts((all) => [draft, ...all]);
      void send(draft);
    },
    retry: (draft) => void send(draft),
    discard: ({ key }) => setDrafts((all) => all.filter((draft) => draft.key !== key)),
  };
}
