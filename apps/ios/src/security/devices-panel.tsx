import { useState, type ReactElement } from 'react';
import { Button } from '../design/button.tsx';
import { Outcome, Pill } from '../design/notice.tsx';
import { Panel } from '../design/panel.tsx';
import { useCall, useLoaded } from '../session/call.ts';
import { formatAgo, formatMoment, useNowMs } from '../session/time.ts';
import { nameDevice } from './device-name.ts';
import { LoadedList } from './loaded-list.tsx';
import { Actions, Row } from './row.tsx';
import { endOtherSessions, endSession, explainChangeFailure, listDevices, type Device } from './security-api.ts';

/** Where the user is signed in: one by one, and all others at once. */
export function DevicesPanel({ sid }: { readonly sid: string | null }): ReactElement {
  const devices = useLoaded(listDevices, sid);
  const hasOthers = devices.value?.some(({ current }) => !current) === true;
  return (
    <Panel title="Devices" lead="Where you are signed in. What you do not know, sign out.">
      <LoadedList list={devices} title="Devices" empty="You are signed in nowhere.">
        {(device) => <DeviceRow key={device.sid} device={device} onEnded={devices.reload} />}
      </LoadedList>
      <OtherDevices hasOthers={hasOthers} onEnded={devices.reload} />
    </Panel>
  );
}

function DeviceRow({ device, onEnded }: { readonly device: Device; readonly onEnded: () => void }): ReactElement {
  const { current, device_label: label, user_agent: userAgent, address } = device;
  const name = label ?? nameDevice(userAgent);
  const nowMs = useNowMs();
  const call = useCall(
    async () => {
      await endSession(device.sid);
      onEnded();
    },
    (error) => explainChangeFailure(error, { 404: 'It was signed out already.' }),
  );
  const use = current ? 'in use now' : `last used ${formatAgo(device.last_used_at * 1_000, nowMs)}`;
  return (
    <Row
      title={name}
      badge={current && <Pill tone="good" label="This device" />}
      meta={[
        `${address === null ? 'address unknown' : `from ${address}`} · ${use}`,
        `Signed in ${formatMoment(device.created_at * 1_000)} by ${device.signed_in_with}`,
      ]}
    >
      <Outcome tone="bad" text={call.failure} />
      {!current && (
        <Actions>
          <Button
            label="Sign out"
            accessibilityLabel={`Sign out ${name}`}
            isBusy={call.state === 'pending'}
            onPress={call.start}
          />
        </Actions>
      )}
    </Row>
  );
}

function OtherDevices(props: { readonly hasOthers: boolean; readonly onEnded: () => void }): ReactElement {
  const [ended, setEnded] = useState(0);
  const call = useCall(async () => {
    setEnded(await endOtherSessions());
    props.onEnded();
  }, explainChangeFailure);
  const done = ended === 1 ? '1 other device was signed out.' : `${ended} other devices were signed out.`;
  return (
    <>
      {props.hasOthers && (
        <Button label="Sign out everywhere else" kind="danger" isBusy={call.state === 'pending'} onPress={call.start} />
      )}
      <Outcome tone={call.state === 'failed' ? 'bad' : 'good'} text={call.state === 'done' ? done : call.failure} />
    </>
  );
}
