import { AxiosError, CanceledError, type CancelToken, type InternalAxiosRequestConfig } from 'axios';

/** Members of axios that its types omit. */
type Subscribable = CancelToken & {
  readonly subscribe: (listener: (reason: unknown) => void) => void;
  readonly unsubscribe: (listener: (reason: unknown) => void) => void;
};

/**
 * Limits the waits between the tries of a request: axios checks `timeout`, `signal` and `cancelToken` only during a
 * try.
 */
export type Patience = {
  /** Aborted with the error that axios would reject with. */
  readonly signal: AbortSignal;
  /** Marks the start of a try. Returns the rest of `timeout` for it. */
  readonly begin: () => Partial<InternalAxiosRequestConfig>;
  /** Marks the end of a try: the request may wait again. */
  readonly end: () => void;
  /** Releases the timer and the listeners. */
  readonly stop: () => void;
};

/** Applies the request's limits to its waits. `timeout` starts now and covers all waits and tries together. */
export function waitAsAxios(config: InternalAxiosRequestConfig): Patience {
  const { timeout = 0, timeoutErrorMessage, transitional, signal } = config;
  const cancelToken: Subscribable | undefined = config.cancelToken;
  const controller = new AbortController();
  const startedMs = Date.now();
  const message = timeoutErrorMessage ?? `timeout of ${timeout}ms exceeded`;
  const leftMs = (): number => Math.max(1, timeout - (Date.now() - startedMs));
  const cancel = (reason?: unknown): void => {
    const isReason = reason instanceof CanceledError;
    controller.abort(isReason ? reason : Object.assign(new CanceledError(), { config }));
  };
  const expire = (): void => {
    const code = transitional?.clarifyTimeoutError ? AxiosError.ETIMEDOUT : AxiosError.ECONNABORTED;
    controller.abort(new AxiosError(message, code, config));
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const pause = (): void => clearTimeout(timer);
  const wait = (): void => void (timer = timeout > 0 ? setTimeout(expire, leftMs()) : undefined);
  signal?.addEventListener?.('abort', cancel);
  cancelToken?.subscribe(cancel);
  wait();
  return {
    signal: controller.signal,
    begin: () => {
      pause();
      return timeout > 0 ? { timeout: leftMs(), timeoutErrorMessage: message } : {};
    },
    end: wait,
    stop: () => {
      pause();
      signal?.removeEventListener?.('abort', cancel);
      cancelToken?.unsubscribe(cancel);
    },
  };
}
