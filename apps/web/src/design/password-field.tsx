import { useId, useState, type ReactElement, type Ref } from 'react';

/** A password with a button that shows it. */
export function PasswordField({
  value,
  onChange,
  ref,
  describedBy,
  isNew = false,
}: {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly ref?: Ref<HTMLInputElement>;
  /** Id of the message that says what is wrong with it. */
  readonly describedBy?: string | undefined;
  /** One to be, which password managers make up. */
  readonly isNew?: boolean;
}): ReactElement {
  const id = useId();
  const [isShown, setShown] = useState(false);
  return (
    <div className="field">
      <label htmlFor={id}>{isNew ? 'New password' : 'Password'}</label>
      <div className="field-box">
        <input
          ref={ref}
          id={id}
          name={isNew ? 'new-password' : 'password'}
          type={isShown ? 'text' : 'password'}
          autoComplete={isNew ? 'new-password' : 'current-password'}
          autoCapitalize="none"
          spellCheck={false}
          required
          value={value}
          onChange={(event) => onChange(event.target.value)}
          aria-invalid={describedBy !== undefined}
          aria-describedby={describedBy}
        />
        <button type="button" className="field-button" aria-pressed={isShown} onClick={() => setShown(!isShown)}>
          {isShown ? 'Hide' : 'Show'}
          <span className="visually-hidden">{isNew ? ' new password' : ' password'}</span>
        </button>
      </div>
    </div>
  );
}
