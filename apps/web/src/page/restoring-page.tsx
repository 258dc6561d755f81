import type { ReactElement } from 'react';
import { Brand } from '../design/brand.tsx';
import './page.css';

/**
 * Where the page will be, while the session is read from storage. It fades in late: most of the time it is not needed,
 * and a flicker is worse than a pause.
 */
export function RestoringPage(): ReactElement {
  return (
    <div className="restoring">
      <title>Holdfast</title>
      <header className="page-header">
        <div className="page-header-inner">
          <Brand />
        </div>
      </header>
      <main className="page" aria-busy="true">
        <h1 className="visually-hidden">Restoring your session</h1>
        <div className="columns" aria-hidden="true">
          <div className="column">
            <PanelSkeleton />
            <PanelSkeleton />
          </div>
          <div className="column">
            <PanelSkeleton />
            <PanelSkeleton />
          </div>
        </div>
      </main>
    </div>
  );
}

function PanelSkeleton(): ReactElement {
  return (
    <div className="panel">
      <span className="bone bone-title" />
      <span className="bone" />
      <span className="bone bone-short" />
      <span className="bone" />
    </div>
  );
}
