// Written with a dot, or Expo does not put the value into the bundle.
declare namespace NodeJS {
  interface ProcessEnv {
    /** Where the server is, for a build that does not speak to this machine. */
    readonly EXPO_PUBLIC_HOLDFAST_SERVER?: string;
  }
}
