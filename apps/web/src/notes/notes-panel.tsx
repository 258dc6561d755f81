import type { SignedInSession } from 'holdfast/react';
import { useState, type ReactElement } from 'react';
import { Panel } from '../design/panel.tsx';
import { useReach } from '../faults/network.ts';
import { formatMoment } from '../session/clock.ts';
import { NoteComposer } from './note-composer.tsx';
import './notes.css';
import { useNotes, type Draft, type Note, type Notes } from './use-notes.ts';

/** How many notes are shown before the rest is asked for. */
const firstShown = 5;

/** An ordinary part of an ordinary app: it knows nothing of tokens. */
export function NotesPanel({ session }: { readonly session: SignedInSession }): ReactElement {
  const { parkedRequests, user, status } = session;
  const notes = useNotes(user.sub);
  const reach = useReach();
  const isOnline = reach !== 'offline';
  const isWaitingForSession = parkedRequests > 0 || status === 'reauthentication-required';
  const isOutOfReach = reach === 'silent' || (session.status === 'active' && session.freshness === 'offline');
  const waitsForServer = isOutOfReach ? 'server' : null;
  const waitsFor = !isOnline ? 'network' : isWaitingForSession ? 'session' : waitsForServer;
  return (
    <Panel title="Notes" lead="An ordinary app on an ordinary API. It knows nothing of tokens.">
      <NoteComposer onAdd={notes.add} />
      <p className="parked-line" role="status">
        {!isOnline && 'You are offline. Write on: it waits here, and goes through when you are back. '}
        {parkedRequests > 0 &&
          `${parkedRequests === 1 ? '1 request waits' : `${parkedRequests} requests wait`} for the ${isOnline ? 'session' : 'network'}.`}
      </p>
      {notes.drafts.length > 0 && (
        <ul className="notes" aria-label="Notes on their way">
          {notes.drafts.map((draft) => (
            <DraftItem key={draft.key} draft={draft} notes={notes} waitsFor={waitsFor} />
          ))}
        </ul>
      )}
      <LoadedNotes notes={notes} />
    </Panel>
  );
}

function LoadedNotes({ notes: { notes, failure, drafts, reload } }: { readonly notes: Notes }): ReactElement {
  const [isAllShown, setAllShown] = useState(false);
  if (failure !== null) {
    return (
      <div className="notice" data-tone="bad" role="alert">
        <p className="notice-title">The notes could not be loaded</p>
        <p>{failure}</p>
        <button type="button" className="button button-small" onClick={reload}>
          Try again
        </button>
      </div>
    );
  }
  if (notes === null) return <NotesSkeleton />;
  if (notes.length === 0)
    return drafts.length > 0 ? <></> : <p className="empty">No notes yet. Write the first one.</p>;
  const shown = isAllShown ? notes : notes.slice(0, firstShown);
  return (
    <>
      <ul className="notes" aria-label="Notes">
        {shown.map((note) => (
          <NoteItem key={note.id} note={note} />
        ))}
      </ul>
      {notes.length > firstShown && (
        <button
          type="button"
          className="button button-quiet button-small notes-more"
          aria-expanded={isAllShown}
          onClick={() => setAllShown(!isAllShown)}
        >
          {isAllShown ? 'Show fewer' : `Show all ${notes.length}`}
        </button>
      )}
    </>
  );
}

function NoteItem({ note }: { readonly note: Note }): ReactElement {
  return (
    <li className="note">
      <span className="note-text">{note.text}</span>
      <time className="note-meta" dateTime={note.createdAt}>
        {formatMoment(Date.parse(note.createdAt))}
      </time>
    </li>
  );
}

/** The cause of a note’s wait; `null`: it is being sent. */
type WaitsFor = 'network' | 'session' | 'server' | null;

const wayWords: Readonly<Record<NonNullable<WaitsFor>, string>> = {
  network: 'Waiting for the network',
  session: 'Waiting for the session',
  server: 'Waiting for the server',
};

function DraftItem(props: { readonly draft: Draft; readonly notes: Notes; readonly waitsFor: WaitsFor }): ReactElement {
  const { draft, notes } = props;
  const isFailed = draft.failure !== null;
  const waitsFor = props.waitsFor ?? (draft.isWaitingForServer ? 'server' : null);
  return (
    <li className="note" data-state={isFailed ? 'failed' : waitsFor === null ? 'sending' : 'parked'}>
      <span className="note-text">{draft.text}</span>
      {isFailed ? (
        <span className="note-actions">
          <span className="note-meta" role="alert">
            {draft.failure}
          </span>
          <button type="button" className="button button-small" onClick={() => notes.retry(draft)}>
            Try again
          </button>
          <button type="button" className="button button-small" onClick={() => notes.discard(draft)}>
            Discard
          </button>
        </span>
      ) : (
        <span className="note-meta">{waitsFor === null ? 'Sending …' : wayWords[waitsFor]}</span>
      )}
    </li>
  );
}

/** Where the notes will be. */
export function NotesSkeleton(): ReactElement {
  return (
    <div className="notes-skeleton" role="status" aria-label="The notes are loading">
      <span className="bone" />
      <span className="bone bone-short" />
      <span className="bone" />
    </div>
  );
}
