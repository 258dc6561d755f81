/** Control characters and halves of surrogate pairs: PostgreSQL refuses some of them, in `text` or in `jsonb`. */
const FORBIDDEN = /[\p{Cc}\p{Cs}]/gu;
/** Fast path: most texts hold only these characters. */
const PRINTABLE_ASCII = /^[ -~]*$/;

/**
 * Makes text from a request fit for PostgreSQL, JSON and logs. One request's text must not fail the statement, or the
 * batch of events, that it shares with other requests.
 *
 * @param value the value from the host; anything but a string becomes the empty text
 * @param maximumLength in UTF-16 code units; longer text is cut
 */
export function toPlainText(value: unknown, maximumLength: number): string {
  if (typeof value !== 'string') return '';
  const cut = value.slice(0, maximumLength);
  return PRINTABLE_ASCII.test(cut) ? cut : cut.replaceAll(FORBIDDEN, '\u{fffd}');
}
