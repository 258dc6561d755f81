/* oxlint-disable typescript/consistent-type-imports -- an ambient module cannot import from a file beside it */
// Types of the packages that `index.ts` imports and only an app installs. An app's compiler reads the packages' own
// types.

declare module 'expo-secure-store' {
  const store: import('./modules.ts').SecureStore;
  export = store;
}

declare module 'expo-network' {
  const network: import('./modules.ts').Network;
  export = network;
}

declare module 'expo-crypto' {
  export const CryptoDigestAlgorithm: { readonly SHA256: 'SHA-256' };
  export const CryptoEncoding: { readonly BASE64: 'base64' };
  export function getRandomBytes(byteCount: number): Uint8Array;
  export function digestStringAsync(
    algorithm: 'SHA-256',
    text: string,
    options: { readonly encoding: 'base64' },
  ): Promise<string>;
}

declare module 'expo-file-system' {
  export class Directory {
    readonly uri: string;
  }
  export const Paths: { readonly document: Directory };
  export class File {
    constructor(folder: Directory, name: string);
    readonly exists: boolean;
    create(options: { readonly intermediates: boolean }): void;
  }
}

declare module 'react-native' {
  export const AppState: import('./modules.ts').AppState;
}
