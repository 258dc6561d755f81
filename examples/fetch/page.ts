// A page with a session: signs in, calls an API, and shows the session's state.
import { createApiClient, createAuthService, createRefreshLog, HoldfastError, type PasswordCredential } from 'holdfast';
import { web } from 'holdfast/web';

const auth = createAuthService({
  issuer: location.origin,
  clientId: 'web',
  platform: web(),
  onEvent: createRefreshLog(tell),
});
const api = createApiClient({ baseUrl: location.origin, auth });

/** The element with an id of index.html. */
function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return found;
}

/** Adds a line to the log of the page. */
function tell(line: string): void {
  const entry = document.createElement('p');
  entry.textContent = line;
  element('log').append(entry);
}

/** Shows the session as it is now. */
function show(): void {
  const session = auth.getSnapshot();
  const isSignedIn = session.status === 'active';
  element('session').hidden = !isSignedIn;
  // While the session is restored, neither is shown.
  element('sign-in').hidden = isSignedIn || session.status === 'restoring';
  if (!isSignedIn) return;
  const { accessTokenExpiresAtMs, sessionExpiresAtMs } = session;
  const secondsLeft = accessTokenExpiresAtMs === null ? 0 : Math.round((accessTokenExpiresAtMs - Date.now()) / 1_000);
  element('token').textContent = secondsLeft > 0 ? `expires in ${secondsLeft} s` : 'none';
  element('end').textContent =
    sessionExpiresAtMs === null ? 'not known' : new Date(sessionExpiresAtMs).toLocaleString();
}

/** Asks the API who the user is. */
async function greet(): Promise<void> {
  const { name } = await api.get('/api/me').json<{ name: string }>();
  element('greeting').textContent = `Signed in as ${name}`;
}

async function signIn(form: HTMLFormElement): Promise<void> {
  element('failure').textContent = '';
  try {
    await auth.signIn(Object.fromEntries(new FormData(form)) as PasswordCredential);
    form.reset();
    await greet();
  } catch (error) {
    const isWrong = error instanceof HoldfastError && error.code === 'sign-in-rejected';
    element('failure').textContent = isWrong ? 'User name or password is wrong.' : `Not signed in: ${String(error)}`;
  }
}

async function callFiveTimes(): Promise<void> {
  const answers = await Promise.all([1, 2, 3, 4, 5].map(() => api.get('/api/me')));
  tell(`the API answered ${answers.map(({ status }) => status).join(', ')}`);
}

const report = (error: unknown): void => tell(String(error));
element('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  if (event.target instanceof HTMLFormElement) void signIn(event.target);
});
element('call').addEventListener('click', () => void callFiveTimes().catch(report));
element('sign-out').addEventListener('click', () => void auth.signOut().catch(report));
auth.subscribe(show);
setInterval(show, 1_000);

const { status } = await auth.ready();
show();
if (status === 'active') await greet().catch(report);
