/** Control characters and halves of surrogate pairs: PostgreSQL refuses some of them, in `text` or in `jsonb`. */
const FORBIDDEN = /[\p{Cc}\p{Cs}]/gu;
/** Most texts are of these alone. */
const PRINTABLE_ASCII = /^[ -~]*$/;

/**
 * Makes a text that was sent fit for PostgreSQL, JSON and logs, whatever it holds: one request's text must not fail the
 * statement, or the batch of events, that it shares with others.
 *
 * @param value what a host passed on; anything but a string becomes the empty text
 * @param maximumLength in UTF-16 code units; what is longer is cut
 */
export function toPlainText(value: unknown, maximumLength: number): string {
  if (typeof value !== 'string') return '';
  const cut = value.slice(0, maximumLength);
  return PRINTABLE_ASCII.test(cut) ? cut : cut.replaceAll(FORBIDDEN, '\u{fffd}');
}
