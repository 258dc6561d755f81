// Plain JavaScript: Expo reads TypeScript only with a compiler that has an API.

/** The text that the phone shows beside its prompts. */
const faceIdPurpose = 'Holdfast asks for Face ID to unlock your session.';

const bundleIdentifier = 'example.holdfast.demo';

/** The domain whose passkeys this app may use: that of the server, which names the app in its association file. */
const domain = new URL(process.env.EXPO_PUBLIC_HOLDFAST_SERVER ?? 'https://holdfast.example').hostname;

/** @type {import('expo/config').ExpoConfig} */
const config = {
  name: 'Holdfast',
  slug: 'holdfast-demo',
  version: '0.1.0',
  orientation: 'default',
  userInterfaceStyle: 'automatic',
  platforms: ['ios', 'web'],
  ios: {
    bundleIdentifier,
    supportsTablet: true,
    associatedDomains: [`webcredentials:${domain}`],
    entitlements: {
      // The app's own group first: what is kept without naming a group goes there.
      'keychain-access-groups': [`$(AppIdentifierPrefix)${bundleIdentifier}`],
    },
    infoPlist: { ITSAppUsesNonExemptEncryption: false },
  },
  web: { bundler: 'metro', output: 'single' },
  plugins: [['expo-secure-store', { faceIDPermission: faceIdPurpose }], 'expo-background-task'],
  // The compiler's paths are for the compiler.
  experiments: { tsconfigPaths: false },
};

module.exports = config;
