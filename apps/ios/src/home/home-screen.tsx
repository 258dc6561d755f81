import { useAuth, type SignedInSession } from 'holdfast/react';
import { useState, type ReactElement } from 'react';
import { StyleSheet, View } from 'react-native';
import { Brand } from '../design/brand.tsx';
import { Button } from '../design/button.tsx';
import { Pill } from '../design/notice.tsx';
import { Screen } from '../design/screen.tsx';
import { Words } from '../design/text.tsx';
import { space } from '../design/theme.ts';
import { EventLogPanel } from '../event-log/event-log-panel.tsx';
import { NotesScreen } from '../notes/notes-screen.tsx';
import { ReauthenticationSheet } from '../reauthentication/reauthentication-sheet.tsx';
import { DevicesPanel } from '../security/devices-panel.tsx';
import { PasskeysPanel } from '../security/passkeys-panel.tsx';
import { PasswordPanel } from '../security/password-panel.tsx';
import { ExpiryWarning } from '../session/expiry-warning.tsx';
import { useReach } from '../session/network.ts';
import { useProfile, type Profile } from '../session/profile.ts';
import { SessionPanel } from '../session/session-panel.tsx';
import { summarizeSession } from '../session/wording.ts';
import { TrialsPanel } from '../trials/trials-panel.tsx';
import { TabBar, type Tab } from './tab-bar.tsx';

/** The app of a signed-in user. */
export function HomeScreen({ session }: { readonly session: SignedInSession }): ReactElement {
  const [tab, setTab] = useState<Tab>('notes');
  const auth = useAuth();
  const profile = useProfile(session.user.sub);
  return (
    // A touch is user activity: the inactivity timeout of the session begins anew at its next refresh.
    <View style={styles.whole} onTouchStart={auth.userActive}>
      <Screen place={tab} footer={<TabBar current={tab} onChange={setTab} />}>
        <Header session={session} profile={profile} />
        <ExpiryWarning session={session} />
        {/* Hidden, not gone: what was typed and what is under way stay. */}
        <View style={[styles.tab, tab !== 'notes' && styles.hidden]}>
          <NotesScreen session={session} />
        </View>
        <View style={[styles.tab, tab !== 'session' && styles.hidden]}>
          <SessionPanel session={session} />
          <TrialsPanel session={session} />
          {tab === 'session' && <EventLogPanel />}
        </View>
        {tab === 'security' && (
          <View style={styles.tab}>
            <PasskeysPanel sub={session.user.sub} />
            {/* Signing in again makes another session of this one: the list is another then, and not asked for before. */}
            <DevicesPanel sid={session.status === 'active' ? session.sid : null} />
            <PasswordPanel />
          </View>
        )}
      </Screen>
      <ReauthenticationSheet username={profile?.username ?? null} />
    </View>
  );
}

function Header({
  session,
  profile,
}: {
  readonly session: SignedInSession;
  readonly profile: Profile | null;
}): ReactElement {
  const auth = useAuth();
  const { tone, label } = summarizeSession(session, useReach());
  return (
    <View style={styles.header}>
      <View style={styles.bar}>
        <Brand />
        <Pill tone={tone} label={label} />
        <View style={styles.spring} />
        <View style={styles.out}>
          <Button label="Sign out" kind="quiet" onPress={() => void auth.signOut().catch(() => {})} />
        </View>
      </View>
      <Words as="note" color="inkSoft">
        {profile === null ? 'Signed in' : `Signed in as ${profile.name}`}
      </Words>
    </View>
  );
}

const styles = StyleSheet.create({
  whole: { flex: 1 },
  tab: { gap: space.l },
  hidden: { display: 'none' },
  header: { gap: space.xs },
  bar: { flexDirection: 'row', flexWrap: 'wrap', alignItems: 'center', gap: space.s },
  spring: { flexGrow: 1 },
  // Its words end where the panels end.
  out: { marginRight: -space.l },
});
