import type { SignedInSession } from 'holdfast/react';
import type { ReactElement } from 'react';
import { Panel } from '../design/panel.tsx';
import { Burst } from './burst.tsx';
import './faults.css';
import { LostAnswer, Offline, Outage, SlowNetwork } from './network-faults.tsx';
import { EndsSoon, Expiry, Revocation, Theft } from './session-faults.tsx';

/** Things that go wrong in every session, at the press of a button. Each says what to expect. */
export function FaultsPanel({ session }: { readonly session: SignedInSession }): ReactElement {
  return (
    <Panel
      title="Make trouble"
      lead="Each of these is real, and each says what to expect. The timeline shows what came of it."
    >
      <div className="faults">
        <Expiry session={session} />
        <Burst session={session} />
        <Offline />
        <Outage />
        <SlowNetwork />
        <LostAnswer />
        <EndsSoon session={session} />
        <Theft />
        <Revocation session={session} />
      </div>
    </Panel>
  );
}
