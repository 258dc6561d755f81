import { Component, type ReactNode } from 'react';
import { Button } from './design/button.tsx';
import { Screen } from './design/screen.tsx';
import { Words } from './design/text.tsx';

/**
 * Shows a way out when a component throws. The session itself lives outside of React, so that the app finds it again.
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
      <Screen>
        <Words as="title">This screen has stopped</Words>
        <Words>It met an error that it did not expect. Your session is not affected.</Words>
        <Button label="Try again" kind="primary" onPress={() => this.setState({ hasFailed: false })} />
      </Screen>
    );
  }
}
