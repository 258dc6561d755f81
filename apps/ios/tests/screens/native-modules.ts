import { createHash, randomUUID, webcrypto } from 'node:crypto';
import { currentPhone, type Phone } from './phone.ts';

// The native modules, each replaced by one that keeps what the real one documents. They all belong to the phone of the test.

type SecureStore = Phone['modules']['secureStore'];
type CeremonyOptions = Parameters<Phone['getPasskey']>[0];

jest.doMock('expo-secure-store', () => {
  const store = (): SecureStore => currentPhone().modules.secureStore;
  return {
    AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY: 1,
    WHEN_UNLOCKED_THIS_DEVICE_ONLY: 6,
    getItem: (...args: Parameters<SecureStore['getItem']>) => store().getItem(...args),
    getItemAsync: (...args: Parameters<SecureStore['getItemAsync']>) => store().getItemAsync(...args),
    setItem: (...args: Parameters<SecureStore['setItem']>) => store().setItem(...args),
    deleteItemAsync: (...args: Parameters<SecureStore['deleteItemAsync']>) => store().deleteItemAsync(...args),
  };
});

jest.doMock('expo-network', () => currentPhone().modules.network);

jest.doMock('expo-crypto', () => {
  return {
    CryptoDigestAlgorithm: { SHA256: 'SHA-256' },
    CryptoEncoding: { BASE64: 'base64' },
    randomUUID,
    getRandomBytes: (count: number) => webcrypto.getRandomValues(new Uint8Array(count)),
    digestStringAsync: (_algorithm: string, text: string) =>
      Promise.resolve(createHash('sha256').update(text).digest('base64')),
  };
});

jest.doMock('expo-file-system', () => {
  class File {
    readonly name: string;
    constructor(_folder: unknown, name: string) {
      this.name = name;
    }
    get exists(): boolean {
      return currentPhone().files.has(this.name);
    }
    create(): void {
      if (this.exists) throw new Error('the file exists');
      currentPhone().files.add(this.name);
    }
    write(text: string): void {
      currentPhone().files.add(this.name);
      currentPhone().fileTexts.set(this.name, text);
    }
    textSync(): string {
      return currentPhone().fileTexts.get(this.name) ?? '';
    }
  }
  return { File, Paths: { document: {} } };
});

jest.doMock('expo-task-manager', () => {
  return {
    defineTask: (name: string, task: () => Promise<unknown>) => void currentPhone().tasks.set(name, task),
  };
});

jest.doMock('expo-background-task', () => {
  return {
    BackgroundTaskResult: { Success: 1, Failed: 2 },
    registerTaskAsync: () => Promise.resolve(),
    addExpirationListener: (listener: () => void) => {
      currentPhone().expirationListeners.add(listener);
      return { remove: () => void currentPhone().expirationListeners.delete(listener) };
    },
  };
});

jest.doMock('react-native-passkeys', () => {
  return {
    isSupported: () => true,
    create: (options: CeremonyOptions) => currentPhone().createPasskey(options),
    get: (options: CeremonyOptions) => currentPhone().getPasskey(options),
  };
});

jest.doMock('react-native-safe-area-context', () => {
  const { default: mock } = jest.requireActual<{ readonly default: object }>(
    'react-native-safe-area-context/jest/mock',
  );
  return mock;
});
