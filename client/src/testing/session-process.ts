// A child process that holds a session, as a program on Node does. `processes.ts` bundles and forks it.
import process from 'node:process';
import { createAuthService } from '../auth-service.ts';
import { HoldfastError } from '../core/errors.ts';
import { node } from '../node/index.ts';
import type { SessionCall } from './processes.ts';

const [issuer = '', folder = ''] = process.argv.slice(2);
const auth = createAuthService({ issuer, clientId: 'cli', platform: node({ name: 'cli', folder }) });

async function run(call: SessionCall): Promise<unknown> {
  switch (call.kind) {
    case 'ready':
      return (await auth.ready()).status;
    case 'sign-in':
      return auth.signIn({ username: call.username, password: 'secret' });
    case 'sign-out':
      return auth.signOut();
    case 'send':
      return (await auth.fetch(`${issuer}/notes`)).status;
  }
}

process.on('message', (call: SessionCall) => {
  run(call).then(
    (result) => process.send?.({ id: call.id, result }),
    (error: unknown) =>
      process.send?.({ id: call.id, error: error instanceof HoldfastError ? error.code : String(error) }),
  );
});

// Exit with the test, also if it failed or was stopped.
process.on('disconnect', () => process.exit());
