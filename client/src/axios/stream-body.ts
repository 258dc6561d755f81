/** A body that can be read once: the web's stream, or one of Node's. */
export type StreamBody = ReadableStream | AsyncIterable<Uint8Array> | EventStream;

/** Node's oldest kind of stream, as the `form-data` package makes it. */
type EventStream = {
  readonly pipe: unknown;
  on(event: 'data', listener: (chunk: Uint8Array | string) => void): void;
  on(event: 'end', listener: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  resume(): void;
  pause(): void;
};

/** Whether `body` can be read only once. */
export const isStream = (body: unknown): body is StreamBody =>
  typeof body === 'object' && body !== null && ('getReader' in body || Symbol.asyncIterator in body || 'pipe' in body);

function fromEvents(source: EventStream): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start: (controller) => {
      source.on('data', (chunk) => {
        controller.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : chunk);
        if ((controller.desiredSize ?? 0) <= 0) source.pause();
      });
      source.on('end', () => controller.close());
      source.on('error', (error) => controller.error(error));
    },
    pull: () => source.resume(),
    cancel: () => source.pause(),
  });
}

/** Where a runtime has Node's streams, it has `ReadableStream.from`. */
type StreamFrom = { from(body: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> };

/** The same bytes as the web's stream. */
export function toWebStream(body: StreamBody): ReadableStream {
  if (body instanceof ReadableStream) return body;
  if (Symbol.asyncIterator in body) return (ReadableStream as unknown as StreamFrom).from(body);
  return fromEvents(body);
}
