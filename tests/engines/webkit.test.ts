// Locks, vault and tabs in real WebKit: what its users would lose where it differs from Chromium. No cookies: WebKitGTK stores
// none that are `Secure` on http://localhost, as browsers need not (RFC 6265 §4.1.2.5 leaves open what is secure).
import { engineContract } from './engine-contract.ts';
import { launchWebKit } from './webkit.ts';

engineContract('WebKit', launchWebKit, ['bearer', 'bound']);
