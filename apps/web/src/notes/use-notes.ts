import { HoldfastError } from 'holdfast';
import { useEffect, useState } from 'react';
import { api } from '../session/session.ts';
import { explainRequestFailure } from '../session/wording.ts';
import { recallDrafts, rememberDrafts, type StoredDraft } from './stored-drafts.ts';

/** How long to leave a server alone that could not take a note, in ms. */
const retryMs = 2_500;

/** A note that the server has. */
export type Note = { readonly id: string; readonly text: string; readonly createdAt: string };

/** A note on its way; `failure` says why it will not arrive. */
export type Draft = StoredDraft & {
  readonly failure: string | null;
  /** It was sent, and the server could not take it yet. */
  readonly isWaitingForServer: boolean;
};

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

/** The loaded notes, and those that arrived since the request: an answer may be older than a note that is shown already. */
const withLoaded =
  (answer: Loaded) =>
  ({ notes: shown }: Loaded): Loaded => {
    const { notes } = answer;
    if (notes === null) return answer;
    const isNew = ({ id }: Note): boolean => notes.every((each) => each.id !== id);
    return { ...answer, notes: [...(shown ?? []).filter(isNew), ...notes] };
  };

const draftOf = ({ key, text }: StoredDraft, rest: Partial<Draft> = {}): Draft => ({
  key,
  text,
  failure: null,
  isWaitingForServer: false,
  ...rest,
});

/**
 * Loads the notes of the user `sub` and adds to them. A note is shown at once, marked until the server has it, and kept in
 * this browser until then: also without a network, and over a reload.
 */
export function useNotes(sub: string | null): Notes {
  const [loaded, setLoaded] = useState<Loaded>({ notes: null, failure: null });
  const [drafts, setDrafts] = useState(() => recallDrafts(sub).map((draft) => draftOf(draft)));

  useEffect(() => {
    const controller = new AbortController();
    const load = async (): Promise<void> => {
      const answer = await loadNotes(controller.signal);
      if (!controller.signal.aborted) setLoaded(withLoaded(answer));
    };
    void load();
    return () => controller.abort();
  }, []);

  const reload = async (): Promise<void> => {
    setLoaded({ notes: null, failure: null });
    setLoaded(withLoaded(await loadNotes()));
  };

  const send = async (draft: Draft): Promise<void> => {
    const { key, text } = draft;
    const change = (next: readonly Draft[]) =>
      setDrafts((all) => all.flatMap((each) => (each.key === key ? next : [each])));
    change([draftOf(draft)]);
    try {
      // The key makes the server store the note once, however often the request is repeated.
      const note = await api.post('notes', { json: { text }, idempotencyKey: key }).json<Note>();
      change([]);
      setLoaded(({ notes, failure }) => ({
        notes: [note, ...(notes ?? []).filter(({ id }) => id !== note.id)],
        failure,
      }));
    } catch (error) {
      if (!(error instanceof HoldfastError && error.isRetryable))
        return change([draftOf(draft, { failure: explainRequestFailure(error) })]);
      change([draftOf(draft, { isWaitingForServer: true })]);
      setTimeout(() => void send(draft), retryMs);
    }
  };

  useEffect(() => rememberDrafts(sub, drafts), [sub, drafts]);
  useEffect(() => {
    for (const draft of drafts) void send(draft);
    // Those that an earlier page has left; what is written here is sent when it is written.
    // oxlint-disable-next-line react/exhaustive-deps
  }, []);

  return {
    ...loaded,
    drafts,
    reload: () => void reload(),
    add: (text) => {
      const draft = draftOf({ key: crypto.randomUUID(), text });
      setDrafts((all) => [draft, ...all]);
      void send(draft);
    },
    retry: (draft) => void send(draft),
    discard: ({ key }) => setDrafts((all) => all.filter((draft) => draft.key !== key)),
  };
}
