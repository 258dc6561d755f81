/** Where the demo's server is: this machine, as the simulator sees it; another one for a phone. */
export const serverUrl = process.env.EXPO_PUBLIC_HOLDFAST_SERVER ?? 'http://localhost:4600';
