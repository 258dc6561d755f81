import { AxiosHeaders, type InternalAxiosRequestConfig } from 'axios';

/** The used part of a form of the `form-data` package. In Node, axios also builds its own forms with it. */
type PackageForm = {
  readonly getHeaders: () => Record<string, string>;
  /** Throws for a form with a stream in it. */
  readonly getBuffer: () => ArrayBufferView;
};

const isPackageForm = (data: unknown): data is PackageForm =>
  typeof data === 'object' && data !== null && 'getHeaders' in data && 'getBuffer' in data;

/**
 * Replaces a form of that package, a stream that can be sent only once, by its bytes and headers, so that it can be
 * sent again after a 401. Returns `config` as it is if a part of the form is a stream itself.
 */
export function withRepeatableForm<Config extends InternalAxiosRequestConfig>(config: Config): Config {
  const data: unknown = config.data;
  if (!isPackageForm(data)) return config;
  try {
    const bytes = data.getBuffer();
    const headers = new AxiosHeaders(config.headers);
    const isContentOnly = (config as { formDataHeaderPolicy?: string }).formDataHeaderPolicy === 'content-only';
    for (const [name, value] of Object.entries(data.getHeaders()))
      if (!isContentOnly || /^content-(?:type|length)$/iu.test(name)) headers.set(name, value);
    return { ...config, data: bytes, headers };
  } catch {
    return config;
  }
}
