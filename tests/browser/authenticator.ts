import type { Page } from 'playwright-core';

/** A virtual authenticator of the device's own, such as Touch ID, that approves at once. */
export type Authenticator = {
  /** True: it recognises its user from now on. */
  readonly setUserVerified: (isUserVerified: boolean) => Promise<void>;
  /** True: its user touches it when a page asks. False: the prompt stays open. */
  readonly setTouched: (isTouched: boolean) => Promise<void>;
  /** How many passkeys it holds. */
  readonly countPasskeys: () => Promise<number>;
};

/** Gives the page an authenticator without any passkey. */
export async function addAuthenticator(page: Page): Promise<Authenticator> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    setUserVerified: async (isUserVerified) => {
      await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified });
    },
    setTouched: async (enabled) => {
      await devtools.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
    },
    countPasskeys: async () => (await devtools.send('WebAuthn.getCredentials', { authenticatorId })).credentials.length,
  };
}

/**
 * No passkeys in the autofill. A virtual authenticator picks one as soon as it is offered, and would sign in before a test
 * can do anything else.
 */
export async function switchOffAutofill(page: Page): Promise<void> {
  await page.addInitScript(() => {
    PublicKeyCredential.isConditionalMediationAvailable = () => Promise.resolve(false);
  });
}
