import { useId, useState, type ReactElement, type SubmitEvent } from 'react';

/** As the API has it. */
const maxLength = 2_000;

/** A line to write a note in. */
export function NoteComposer({ onAdd }: { readonly onAdd: (text: string) => void }): ReactElement {
  const id = useId();
  const [text, setText] = useState('');
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (text.trim() === '') return;
    onAdd(text.trim());
    setText('');
  };
  return (
    <form className="composer" onSubmit={onSubmit}>
      <label className="visually-hidden" htmlFor={id}>
        New note
      </label>
      <div className="field-box">
        <input
          id={id}
          type="text"
          placeholder="Write a note"
          autoComplete="off"
          maxLength={maxLength}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      <button type="submit" className="button button-primary">
        Add
      </button>
    </form>
  );
}
