import { useId, type ReactElement, type Ref } from 'react';

/** A user name. Without `onChange` it is there to be read, also by password managers. */
export function UsernameField({
  value,
  onChange,
  ref,
  takesPasskey = false,
}: {
  readonly value: string;
  readonly onChange?: ((value: string) => void) | undefined;
  readonly ref?: Ref<HTMLInputElement>;
  /** Its autofill offers passkeys as well. */
  readonly takesPasskey?: boolean;
}): ReactElement {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>User name</label>
      <div className="field-box">
        <input
          ref={ref}
          id={id}
          name="username"
          type="text"
          inputMode="email"
          autoComplete={takesPasskey ? 'username webauthn' : 'username'}
          autoCapitalize="none"
          spellCheck={false}
          required
          value={value}
          readOnly={onChange === undefined}
          onChange={(event) => onChange?.(event.target.value)}
        />
      </div>
    </div>
  );
}
