import type { SignedInSession } from 'holdfast/react';
import { useState, type ReactElement, type ReactNode } from 'react';
import { Panel } from '../design/panel.tsx';
import { useReach } from '../faults/network.ts';
import { formatCountdown, formatMoment, useNowMs } from './clock.ts';
import { auth } from './session.ts';
import './session-panel.css';
import { summarizeSession } from './wording.ts';

/** The session, live. */
export function SessionPanel({ session }: { readonly session: SignedInSession }): ReactElement {
  const { tone, label, detail } = summarizeSession(session, useReach());
  const isActive = session.status === 'active';
  const renewal = useRenewal(session);
  return (
    <Panel
      title="Session"
      lead="What Holdfast knows of it in this tab, live."
      action={
        <button
          type="button"
          className="button button-small"
          aria-disabled={!isActive || session.isRefreshing}
          onClick={renewal.start}
        >
          Renew now
        </button>
      }
    >
      <p className="session-renewal" role="status">
        {renewal.report}
      </p>
      <div className="session-status" data-tone={tone}>
        <p className="session-status-label">{label}</p>
        <p className="session-status-detail">{detail}</p>
      </div>
      {isActive ? <ActiveFacts session={session} /> : <WaitingFacts session={session} />}
    </Panel>
  );
}

/** “Renew now”, and what came of it. */
function useRenewal(session: SignedInSession): { readonly start: () => void; readonly report: string } {
  const [before, setBefore] = useState<number | null>(null);
  const tokenNumber = session.status === 'active' ? session.tokenNumber : 0;
  const start = (): void => {
    setBefore(tokenNumber);
    auth.extend();
  };
  if (before === null || session.status !== 'active') return { start, report: '' };
  if (tokenNumber > before) return { start, report: 'Renewed: a new access token is here.' };
  if (session.refusal !== null)
    return { start, report: `Not renewed: the server refuses (${session.refusal}). It is tried again.` };
  if (session.freshness === 'offline')
    return { start, report: 'Not renewed yet: the server is out of reach. It is tried again.' };
  return { start, report: 'The server is asked …' };
}

type Active = Extract<SignedInSession, { status: 'active' }>;
type Waiting = Extract<SignedInSession, { status: 'reauthentication-required' }>;

function ActiveFacts({ session }: { readonly session: Active }): ReactElement {
  const nowMs = useNowMs();
  const { accessTokenExpiresAtMs, sessionExpiresAtMs, parkedRequests } = session;
  return (
    <>
      <div className="figures">
        <Figure
          label="Access token"
          endsAtMs={accessTokenExpiresAtMs}
          nowMs={nowMs}
          note={
            accessTokenExpiresAtMs === null
              ? 'refused, or not there yet'
              : `until ${formatMoment(accessTokenExpiresAtMs)}`
          }
        />
        <Figure
          label="Session"
          endsAtMs={sessionExpiresAtMs}
          nowMs={nowMs}
          note={
            sessionExpiresAtMs === null
              ? 'the server does not say'
              : `until ${formatMoment(sessionExpiresAtMs)}, if unused`
          }
        />
      </div>
      <dl className="facts">
        <Fact term="Refresh">{session.isRefreshing ? 'under way' : 'none under way'}</Fact>
        <Fact term="Parked requests" isNotable={parkedRequests > 0}>
          {parkedRequests}
        </Fact>
        <Fact term="Access tokens in this tab">{session.tokenNumber}</Fact>
        <Fact term="Freshness">{session.freshness}</Fact>
        <Fact term="Signed in">{formatMoment(session.sessionStartedAtMs)}</Fact>
        <Fact term="Session id">
          {session.sid === null ? 'none' : <code title={session.sid}>{session.sid.slice(0, 8)}</code>}
        </Fact>
      </dl>
    </>
  );
}

function WaitingFacts({ session }: { readonly session: Waiting }): ReactElement {
  return (
    <dl className="facts">
      <Fact term="Asked for">{session.stage}</Fact>
      <Fact term="Parked requests" isNotable={session.parkedRequests > 0}>
        {session.parkedRequests}
      </Fact>
    </dl>
  );
}

function Figure(props: {
  readonly label: string;
  readonly endsAtMs: number | null;
  readonly nowMs: number;
  readonly note: string;
}): ReactElement {
  const { label, endsAtMs, nowMs, note } = props;
  return (
    <div className="figure" role="group" aria-label={label}>
      <span className="figure-label">{label}</span>
      <span className="figure-value" role="timer" aria-label={`${label}, time left`}>
        {endsAtMs === null ? '–' : formatCountdown(endsAtMs - nowMs)}
      </span>
      <span className="figure-note">{note}</span>
    </div>
  );
}

function Fact(props: {
  readonly term: string;
  readonly isNotable?: boolean;
  readonly children: ReactNode;
}): ReactElement {
  return (
    <div className="fact" data-notable={props.isNotable === true}>
      <dt>{props.term}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}
