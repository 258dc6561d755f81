import { create, isAxiosError, type AxiosInstance, type AxiosRequestConfig } from 'axios';
import { createAuthService } from 'holdfast';
// Runs in the page: axios alone and axios with a session, within reach of a test.
import { attach } from 'holdfast/axios';
import { web } from 'holdfast/web';

/** The functions of a page with axios that a test can call. */
export type AxiosPage = {
  /** Signs in; from then on `sendAttached` has a session. */
  signIn(credential: { readonly username: string; readonly password: string }): Promise<void>;
  /** Sends an upload; answers the status or the error's code, and what progress has reported last. */
  sendAlone(path: string, body: UploadName, hasProgress: boolean): Promise<Sent>;
  sendAttached(path: string, body: UploadName, hasProgress: boolean): Promise<Sent>;
};

/** The outcome of an upload. */
export type Sent = {
  readonly outcome: number | string;
  readonly uploaded: number | null;
  readonly downloaded: boolean;
};

const form = (): FormData => {
  const all = new FormData();
  all.set('note', 'hello');
  all.set('file', new Blob([new Uint8Array([0, 255, 13, 10])], { type: 'image/png' }), 'file.png');
  return all;
};

const uploads = {
  JSON: () => ({ note: 'hello' }),
  string: () => 'hello',
  URLSearchParams: () => new URLSearchParams({ note: 'a b' }),
  FormData: form,
  Blob: () => new Blob(['hello'], { type: 'text/plain' }),
  ArrayBuffer: () => new TextEncoder().encode('hello').buffer,
  nothing: () => undefined,
};

/** The kinds of bodies. */
export type UploadName = keyof typeof uploads;

async function send(client: AxiosInstance, path: string, body: UploadName, hasProgress: boolean): Promise<Sent> {
  let uploaded: number | null = null;
  let downloaded = false;
  const progress: AxiosRequestConfig = {
    onUploadProgress: ({ loaded }) => (uploaded = loaded),
    onDownloadProgress: () => (downloaded = true),
  };
  const outcome = await client.post(path, uploads[body](), hasProgress ? progress : {}).then(
    ({ status }) => status,
    (error: unknown) => (isAxiosError(error) ? (error.code ?? error.message) : String(error)),
  );
  return { outcome, uploaded, downloaded };
}

const auth = createAuthService({ issuer: location.origin, clientId: 'cookie', platform: web() });
const alone = create({ baseURL: '/' });
const attached = create({ baseURL: '/' });
attach(attached, auth);

const axiosPage: AxiosPage = {
  signIn: (credential) => auth.signIn(credential),
  sendAlone: (path, body, hasProgress) => send(alone, path, body, hasProgress),
  sendAttached: (path, body, hasProgress) => send(attached, path, body, hasProgress),
};
Object.assign(globalThis, { axiosPage });
