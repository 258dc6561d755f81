import { useId, type ReactElement } from 'react';

/** A user name. Without `onChange` it is there to be read, also by password managers. */
export function UsernameField(props: {
  readonly value: string;
  readonly onChange?: ((value: string) => void) | undefined;
  readonly hasFocusAtStart?: boolean;
}): ReactElement {
  const id = useId();
  const { onChange } = props;
  return (
    <div className="field">
      <label htmlFor={id}>User name</label>
      <div className="field-box">
        <input
          id={id}
          name="username"
          type="text"
          inputMode="email"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus={props.hasFocusAtStart ?? false}
          required
          value={props.value}
          readOnly={onChange === undefined}
          onChange={(event) => onChange?.(event.target.value)}
        />
      </div>
    </div>
  );
}
