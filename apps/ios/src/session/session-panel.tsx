import { useAuth, type SignedInSession } from 'holdfast/react';
import { useState, type ReactElement, type ReactNode } from 'react';
import { StyleSheet, View } from 'react-native';
import { Button } from '../design/button.tsx';
import { Outcome, Pill } from '../design/notice.tsx';
import { Panel } from '../design/panel.tsx';
import { Words } from '../design/text.tsx';
import { space, useTheme } from '../design/theme.ts';
import { useReach } from './network.ts';
import { formatCountdown, formatMoment, useNowMs } from './time.ts';
import { reportRenewal, summarizeSession } from './wording.ts';

/** The session, live. */
export function SessionPanel({ session }: { readonly session: SignedInSession }): ReactElement {
  const auth = useAuth();
  const { tone, label, detail } = summarizeSession(session, useReach());
  const isActive = session.status === 'active';
  const [before, setBefore] = useState<number | null>(null);
  const renew = (): void => {
    setBefore(isActive ? session.tokenNumber : null);
    auth.extend();
  };
  return (
    <Panel title="Session" lead="What Holdfast knows of it on this phone, live.">
      <View style={styles.summary}>
        <Pill tone={tone} label={label} />
        <Words as="note" color="inkSoft">
          {detail}
        </Words>
      </View>
      {isActive ? <ActiveFacts session={session} /> : <WaitingFacts session={session} />}
      <Button label="Renew now" isDisabled={!isActive || session.isRefreshing} onPress={renew} />
      <Outcome tone="wait" text={before === null ? '' : reportRenewal(before, session)} />
    </Panel>
  );
}

type Active = Extract<SignedInSession, { status: 'active' }>;
type Waiting = Extract<SignedInSession, { status: 'reauthentication-required' }>;

function ActiveFacts({ session }: { readonly session: Active }): ReactElement {
  const nowMs = useNowMs();
  const { accessTokenExpiresAtMs, sessionExpiresAtMs, sid } = session;
  return (
    <View>
      <View style={styles.figures}>
        <Figure label="Access token" endsAtMs={accessTokenExpiresAtMs} nowMs={nowMs} />
        <Figure label="Session" endsAtMs={sessionExpiresAtMs} nowMs={nowMs} />
      </View>
      <Fact term="Refresh">{session.isRefreshing ? 'under way' : 'none under way'}</Fact>
      <Fact term="Parked requests">{session.parkedRequests}</Fact>
      <Fact term="Access tokens so far">{session.tokenNumber}</Fact>
      <Fact term="Freshness">{session.freshness}</Fact>
      <Fact term="Signed in">{formatMoment(session.sessionStartedAtMs)}</Fact>
      <Fact term="Session id">{sid === null ? 'none' : sid.slice(0, 8)}</Fact>
    </View>
  );
}

function WaitingFacts({ session }: { readonly session: Waiting }): ReactElement {
  return (
    <View>
      <Fact term="Asked for">{session.stage}</Fact>
      <Fact term="Parked requests">{session.parkedRequests}</Fact>
    </View>
  );
}

function Figure(props: {
  readonly label: string;
  readonly endsAtMs: number | null;
  readonly nowMs: number;
}): ReactElement {
  const { label, endsAtMs, nowMs } = props;
  const { sunken } = useTheme();
  const left = endsAtMs === null ? '–' : formatCountdown(endsAtMs - nowMs);
  return (
    <View
      accessible
      accessibilityLabel={`${label}, time left: ${left}`}
      style={[styles.figure, { backgroundColor: sunken }]}
    >
      <Words as="note" color="inkSoft">
        {label}
      </Words>
      <Words as="figure" adjustsFontSizeToFit numberOfLines={1}>
        {left}
      </Words>
    </View>
  );
}

function Fact({ term, children }: { readonly term: string; readonly children: ReactNode }): ReactElement {
  const { line } = useTheme();
  return (
    <View accessible style={[styles.fact, { borderTopColor: line }]}>
      <Words as="note" color="inkSoft">
        {term}
      </Words>
      <Words as="note" style={styles.value}>
        {children}
      </Words>
    </View>
  );
}

const styles = StyleSheet.create({
  summary: { gap: space.s, alignItems: 'flex-start' },
  figures: { flexDirection: 'row', flexWrap: 'wrap', gap: space.s, marginBottom: space.m },
  figure: { flexGrow: 1, flexBasis: 130, borderRadius: 10, padding: space.m, gap: 2 },
  fact: {
    flexDirection: 'row',
    flexWrap: 'wrap',
    justifyContent: 'space-between',
    gap: space.s,
    paddingVertical: 9,
    borderTopWidth: StyleSheet.hairlineWidth,
  },
  value: { fontWeight: '600' },
});
