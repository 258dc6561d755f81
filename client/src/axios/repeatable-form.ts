import { AxiosHeaders, type InternalAxiosRequestConfig } from 'axios';

/** As much as is used here of a form of the `form-data` package, which axios writes its own forms with in Node. */
type PackageForm = {
  readonly getHeaders: () => Record<string, string>;
  /** Throws for a form with a stream in it. */
  readonly getBuffer: () => ArrayBufferView;
};

const isPackageForm = (data: unknown): data is PackageForm =>
  typeof data === 'object' && data !== null && 'getHeaders' in data && 'getBuffer' in data;

/**
 * A form of that package is a stream that can be sent once. If no part of it is one, its bytes are known beforehand: the same
 * bytes with the same headers can be sent again after a 401.
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
