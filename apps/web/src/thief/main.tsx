import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import '../design/tokens.css';
import '../design/base.css';
import '../design/controls.css';
import './thief.css';
import { ThiefPage } from './thief-page.tsx';

const container = document.getElementById('root');
if (container === null) throw new Error('thief.html has no element with id "root"');
createRoot(container).render(
  <StrictMode>
    <ThiefPage copy={new URLSearchParams(location.search).get('copy')} />
  </StrictMode>,
);
