import { useId, type ReactElement } from 'react';

/** The user that the demo's server creates. */
export const demoCredential = {
  username: 'demo@holdfast.example',
  password: 'correct horse battery staple',
} as const;

/** The demo's credential, to be read and to be filled in. */
export function DemoCredential({ onFillIn }: { readonly onFillIn: () => void }): ReactElement {
  const titleId = useId();
  return (
    <section className="demo-credential" aria-labelledby={titleId}>
      <div className="demo-credential-head">
        <h2 id={titleId}>Demo account</h2>
        <button type="button" className="button button-small" onClick={onFillIn}>
          Fill in
        </button>
      </div>
      <dl>
        <dt>User name</dt>
        <dd>{demoCredential.username}</dd>
        <dt>Password</dt>
        <dd>{demoCredential.password}</dd>
      </dl>
    </section>
  );
}
