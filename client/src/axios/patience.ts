import { AxiosError, CanceledError, type CancelToken, type InternalAxiosRequestConfig } from 'axios';

/** Members of axios that its types leave out. */
type Subscribable = CancelToken & {
  readonly subscribe: (listener: (reason: unknown) => void) => void;
  readonly unsubscribe: (listener: (reason: unknown) => void) => void;
};

/** How long a request waits between its tries: axios watches over `timeout`, `signal` and `cancelToken` only while it sends. */
export type Patience = {
  /** Aborted with the error that axios would reject with. */
  readonly signal: AbortSignal;
  /** A try begins; answers what is left of `timeout` for it. */
  readonly begin: () => Partial<InternalAxiosRequestConfig>;
  /** The try is over: the request may wait again. */
  readonly end: () => void;
  /** Nothing is waited for any more. */
  readonly stop: () => void;
};

/** Watches over the waits of a request as axios does over its tries. `timeout` counts from now, over all of both. */
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
