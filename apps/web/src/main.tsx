import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import './design/tokens.css';
import './design/base.css';
import './design/controls.css';
import { App } from './app.tsx';
import { ErrorBoundary } from './error-boundary.tsx';

const container = document.getElementById('root');
if (container === null) throw new Error('index.html has no element with id "root"');
createRoot(container).render(
  <StrictMode>
    <ErrorBoundary>
      <App />
    </ErrorBoundary>
  </StrictMode>,
);
