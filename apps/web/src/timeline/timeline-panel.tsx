import { useEffect, useRef, type ReactElement } from 'react';
import { Panel } from '../design/panel.tsx';
import { timeline } from '../session/session.ts';
import './timeline.css';

/** The session timeline of `holdfast/timeline`, in a panel of this page. */
export function TimelinePanel(): ReactElement {
  const container = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const { current } = container;
    if (current === null) return;
    const mounted = timeline.mount(current);
    return () => void mounted.then((remove) => remove());
  }, []);
  return (
    <Panel
      title="Session timeline"
      lead="Who refreshed, when and why, in every tab of this page. Open a second tab, and it gets a lane of its own."
    >
      <div ref={container} className="timeline" />
    </Panel>
  );
}
