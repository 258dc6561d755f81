import { randomUUID } from 'expo-crypto';
import { useState } from 'react';
import { useLoaded } from '../session/call.ts';
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
  readonly failure: string | null;
  readonly drafts: readonly Draft[];
  readonly reload: () => void;
  readonly add: (text: string) => void;
  readonly retry: (draft: Draft) => void;
  readonly discard: (draft: Draft) => void;
};

async function listNotes(signal: AbortSignal): Promise<readonly Note[]> {
  return (await api.get('notes', { signal }).json<{ readonly notes: readonly Note[] }>()).notes;
}

/** Loads the notes and adds to them. A note is shown at once, and marked until the server has it. */
export function useNotes(): Notes {
  const { value: notes, failure, reload, change } = useLoaded(listNotes, 'notes');
  const [drafts, setDrafts] = useState<readonly Draft[]>([]);
  const drop = (key: string): void => setDrafts((all) => all.filter((draft) => draft.key !== key));
  const send = async ({ key, text }: Draft): Promise<void> => {
    const mark = (reason: string | null): void =>
      setDrafts((all) => all.map((draft) => (draft.key === key ? { ...draft, failure: reason } : draft)));
    mark(null);
    try {
      // The key makes the server store the note once, however often the request is repeated.
      const note = await api.post('notes', { json: { text }, idempotencyKey: key }).json<Note>();
      drop(key);
      change((before) => [note, ...before.filter(({ id }) => id !== note.id)]);
    } catch (error) {
      mark(explainRequestFailure(error));
    }
  };
  return {
    notes,
    failure,
    drafts,
    reload,
    add: (text) => {
      const draft: Draft = { key: randomUUID(), text, failure: null };
      setDrafts((all) => [draft, ...all]);
      void send(draft);
    },
    retry: (draft) => void send(draft),
    discard: ({ key }) => drop(key),
  };
}
