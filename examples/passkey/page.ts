// A page that signs in with a password first, adds a passkey, and then signs in with the passkey alone.
import { createApiClient, createAuthService, HoldfastError, type PasswordCredential } from 'holdfast';
import { explainPasskeyError, isPasskeySupported, passkey, registerPasskey, web } from 'holdfast/web';

const issuer = location.origin;
const auth = createAuthService({ issuer, clientId: 'web', platform: web() });
const api = createApiClient({ baseUrl: issuer, auth });

/** The element with an id of index.html. */
function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return found;
}

/** Shows the form or the session. While the session is restored, neither is shown. */
function show(): void {
  const { status } = auth.getSnapshot();
  element('session').hidden = status !== 'active';
  element('sign-in').hidden = status === 'active' || status === 'restoring';
}

/** Asks the API who the user is. `amr` says how the user signed in (RFC 8176). */
async function greet(): Promise<void> {
  const { name, amr } = await api.get('/api/me').json<{ name: string; amr: readonly string[] }>();
  element('greeting').textContent = `Signed in as ${name} by ${amr.includes('pwd') ? 'password' : 'passkey'}`;
}

function explain(error: unknown): string {
  if (error instanceof HoldfastError && error.code === 'sign-in-rejected') return 'The sign-in was rejected.';
  if (error instanceof HoldfastError) return `It did not work: ${error.code}`;
  return {
    cancelled: 'No passkey was used: the prompt was cancelled.',
    'already-registered': 'This device has a passkey of yours already.',
    unavailable: 'This device cannot use passkeys.',
    'not-allowed-here': 'Passkeys do not work at this address.',
    failed: `It did not work: ${String(error)}`,
  }[explainPasskeyError(error)];
}

/** Runs what a button does, and shows the outcome. */
async function run(work: () => Promise<string>): Promise<void> {
  element('failure').textContent = '';
  element('news').textContent = '';
  try {
    element('news').textContent = await work();
  } catch (error) {
    element('failure').textContent = explain(error);
  }
}

async function signInByPassword(form: HTMLFormElement): Promise<string> {
  await auth.signIn(Object.fromEntries(new FormData(form)) as PasswordCredential);
  form.reset();
  await greet();
  return '';
}

async function signInByPasskey(): Promise<string> {
  await auth.signIn(passkey());
  await greet();
  return '';
}

async function addPasskey(): Promise<string> {
  const { name } = await registerPasskey(auth, { issuer, name: 'My device' });
  return `Added the passkey “${name}”. Sign out, and sign in with it.`;
}

element('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  const { target } = event;
  if (target instanceof HTMLFormElement) void run(() => signInByPassword(target));
});
element('use-passkey').addEventListener('click', () => void run(signInByPasskey));
element('add-passkey').addEventListener('click', () => void run(addPasskey));
element('sign-out').addEventListener('click', () => void run(() => auth.signOut().then(() => '')));
for (const id of ['use-passkey', 'add-passkey']) element(id).hidden = !isPasskeySupported();
auth.subscribe(show);

const { status } = await auth.ready();
show();
if (status === 'active') await run(() => greet().then(() => ''));
