import { useLayoutEffect, useMemo, useRef, type ReactElement } from 'react';
import { Panel } from '../design/panel.tsx';
import './event-log.css';
import { clearEventLog, useEventLog } from './event-log.ts';
import { tellStory, type LogLine } from './narrative.ts';

const maxLines = 50;
/** How far from its end, in px, the list may be and still follow it. */
const followPx = 48;

/** The session's events, in plain words, as they happen. */
export function EventLogPanel(): ReactElement {
  const entries = useEventLog();
  const lines = useMemo(() => tellStory(entries, maxLines), [entries]);
  const list = useRef<HTMLOListElement>(null);
  const isFollowing = useRef(true);
  // After every render: each one is for a new line.
  useLayoutEffect(() => {
    if (isFollowing.current && list.current !== null) list.current.scrollTop = list.current.scrollHeight;
  });
  return (
    <Panel
      title="Event log"
      lead="Every step of the session in this tab, newest last."
      action={
        <button
          type="button"
          className="button button-quiet button-small"
          onClick={clearEventLog}
          disabled={lines.length === 0}
        >
          Clear
        </button>
      }
    >
      {lines.length === 0 ? (
        <p className="empty">Nothing has happened yet.</p>
      ) : (
        <ol
          ref={list}
          className="event-log"
          aria-label="Events"
          // Scrolls, so the keyboard must reach it.
          tabIndex={0}
          onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
            isFollowing.current = scrollHeight - scrollTop - clientHeight < followPx;
          }}
        >
          {lines.map((line) => (
            <EventLine key={line.id} line={line} />
          ))}
        </ol>
      )}
    </Panel>
  );
}

function EventLine({ line }: { readonly line: LogLine }): ReactElement {
  const at = new Date(line.atMs);
  const time = `${at.toLocaleTimeString('en-GB')}.${String(at.getMilliseconds()).padStart(3, '0')}`;
  return (
    <li className="event-line" data-tone={line.tone}>
      <time className="event-time" dateTime={at.toISOString()}>
        {time}
      </time>
      <span className="event-text">
        {line.text}
        {line.callers.length > 1 && <span className="count">×{line.callers.length}</span>}
      </span>
    </li>
  );
}
