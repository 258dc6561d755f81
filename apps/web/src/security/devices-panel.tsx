import { useState, type ReactElement } from 'react';
import { Panel } from '../design/panel.tsx';
import { useCall } from '../page/use-call.ts';
import { formatAgo, formatMoment, useNowMs } from '../session/clock.ts';
import { isHandheld, nameDevice } from './device-name.ts';
import { LoadedList } from './loaded-list.tsx';
import { endOtherSessions, endSession, explainChangeFailure, listDevices, type Device } from './security-api.ts';
import { useLoaded } from './use-loaded.ts';

/** Where the user is signed in: one by one, and all others at once. */
export function DevicesPanel({ sid }: { readonly sid: string | null }): ReactElement {
  const devices = useLoaded(listDevices, sid);
  const hasOthers = devices.value?.some(({ current }) => !current) === true;
  return (
    <Panel title="Devices" lead="Where you are signed in. What you do not know, sign out.">
      <LoadedList list={devices} title="Devices" empty="You are signed in nowhere.">
        {(device) => <DeviceRow key={device.sid} device={device} onEnded={devices.reload} />}
      </LoadedList>
      {devices.value !== null && <OtherDevices hasOthers={hasOthers} onEnded={devices.reload} />}
    </Panel>
  );
}

function DeviceRow({ device, onEnded }: { readonly device: Device; readonly onEnded: () => void }): ReactElement {
  const nowMs = useNowMs();
  const { current, user_agent: userAgent, address } = device;
  const words = nameDevice(userAgent);
  const name = device.device_label ?? words;
  const call = useCall(
    async () => {
      await endSession(device.sid);
      onEnded();
    },
    // Gone already is what was asked for.
    (error) => explainChangeFailure(error, { 404: 'It was signed out already.' }),
  );
  const isPending = call.state === 'pending';
  const use = current ? 'in use now' : `last used ${formatAgo(device.last_used_at * 1_000, nowMs)}`;
  const where = address === null ? 'address unknown' : `from ${address}`;
  return (
    <li className="row">
      <DeviceMark isHandheld={isHandheld(userAgent)} />
      <div className="row-text">
        <p className="row-title">
          {name} {current && <span className="pill">This device</span>}
        </p>
        <p className="row-meta">
          {device.device_label !== null && `${words} · `}
          {where} · {use}
        </p>
        <p className="row-meta">
          Signed in {formatMoment(device.created_at * 1_000)} by {device.signed_in_with}
        </p>
        <p className="row-result" data-tone="bad" role="status">
          {call.failure}
        </p>
      </div>
      {!current && (
        <div className="row-actions">
          <button
            type="button"
            className="button button-small"
            aria-label={`Sign out ${name}`}
            aria-disabled={isPending}
            data-busy={isPending}
            onClick={() => {
              if (!isPending) call.start();
            }}
          >
            {isPending ? 'Signing out …' : 'Sign out'}
          </button>
        </div>
      )}
    </li>
  );
}

function DeviceMark({ isHandheld }: { readonly isHandheld: boolean }): ReactElement {
  return (
    <svg className="row-mark" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {isHandheld ? (
        <path d="M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM11 18h2" />
      ) : (
        <path d="M5 5h14a1 1 0 0 1 1 1v9H4V6a1 1 0 0 1 1-1zM2.5 18.5h19" />
      )}
    </svg>
  );
}

function OtherDevices(props: { readonly hasOthers: boolean; readonly onEnded: () => void }): ReactElement {
  const [ended, setEnded] = useState(0);
  const call = useCall(async () => {
    setEnded(await endOtherSessions());
    props.onEnded();
  }, explainChangeFailure);
  const isPending = call.state === 'pending';
  const done = ended === 1 ? '1 other device was signed out.' : `${ended} other devices were signed out.`;
  return (
    <div className="row-form-end">
      {props.hasOthers && (
        <button
          type="button"
          className="button button-danger"
          aria-disabled={isPending}
          data-busy={isPending}
          onClick={() => {
            if (!isPending) call.start();
          }}
        >
          {isPending ? 'Signing out …' : 'Sign out everywhere else'}
        </button>
      )}
      <p className="row-result" data-tone={call.state === 'failed' ? 'bad' : 'good'} role="status">
        {call.state === 'done' ? done : call.failure}
      </p>
    </div>
  );
}
