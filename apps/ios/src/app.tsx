import { StatusBar } from 'expo-status-bar';
import { AuthProvider, SessionGate } from 'holdfast/react';
import type { ReactElement } from 'react';
import { SafeAreaProvider } from 'react-native-safe-area-context';
import { Brand } from './design/brand.tsx';
import { Panel } from './design/panel.tsx';
import { Screen } from './design/screen.tsx';
import { Skeleton } from './design/skeleton.tsx';
import { ErrorBoundary } from './error-boundary.tsx';
import { HomeScreen } from './home/home-screen.tsx';
import { auth } from './session/session.ts';
import { SignInScreen } from './sign-in/sign-in-screen.tsx';

/** The screen for the session as it is. */
export function App(): ReactElement {
  return (
    <SafeAreaProvider>
      {/* oxlint-disable-next-line react/style-prop-object -- not a style sheet */}
      <StatusBar style="auto" />
      <ErrorBoundary>
        <AuthProvider auth={auth}>
          <SessionGate restoring={<Restoring />} signedOut={({ reason }) => <SignInScreen reason={reason} />}>
            {(session) => <HomeScreen session={session} />}
          </SessionGate>
        </AuthProvider>
      </ErrorBoundary>
    </SafeAreaProvider>
  );
}

/** Where the app will be, while the session is read from the keychain. */
function Restoring(): ReactElement {
  return (
    <Screen>
      <Brand />
      <Panel title="Restoring your session">
        <Skeleton label="Your session is being restored" />
      </Panel>
    </Screen>
  );
}
