import { Component, type ReactNode } from 'react';

/**
 * Shows a way out when a component throws. The session itself lives outside of React, so that a reload finds it again.
 * A class, because React has no other form for this.
 */
export class ErrorBoundary extends Component<{ readonly children: ReactNode }, { readonly hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError(): { readonly hasFailed: boolean } {
    return { hasFailed: true };
  }

  override render(): ReactNode {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <main className="lone-message">
        <h1>This page has stopped</h1>
        <p>
          It met an error that it did not expect. Your session is not affected: after a reload you are still signed in.
        </p>
        <button type="button" className="button button-primary" onClick={() => location.reload()}>
          Reload the page
        </button>
      </main>
    );
  }
}
