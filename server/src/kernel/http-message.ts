/** An HTTP request as plain data. The adapter that receives requests builds it; see {@link createNodeListener}. */
export type HttpRequest = {
  /** Upper case. */
  readonly method: string;
  /** The path alone, as sent: `/token`. */
  readonly path: string;
  /** The raw query without its `?`. Only paged lists read it, because URLs end up in logs. */
  readonly query?: string;
  /** Names in lower case; repeated fields joined by `, ` (cookies by `; `). */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array | string;
  /** Address of the peer, for the session list and rate limits; empty when unknown. */
  readonly remoteAddress: string;
};

/** An HTTP answer as plain data. A header with several values (`set-cookie`) is an array, one field each. */
export type HttpResponse = {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
};
