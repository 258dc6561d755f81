// Locks, vault and tabs in real Firefox: what its users would lose where it differs from Chromium.
import { engineContract } from './engine-contract.ts';
import { launchFirefox } from './firefox.ts';

engineContract('Firefox', launchFirefox, ['cookie', 'bearer', 'bound']);
