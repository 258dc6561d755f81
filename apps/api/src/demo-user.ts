import { HoldfastError, type Holdfast } from '@holdfast/server';

/** The user that the demo creates, and prints where it starts. */
export const demoUser = {
  username: 'demo@holdfast.example',
  password: 'correct horse battery staple',
  name: 'Demo User',
} as const;

/** Creates the demo's user unless it is there. */
export async function seedDemoUser(users: Holdfast['users']): Promise<void> {
  if ((await users.findByUsername(demoUser.username)) !== null) return;
  try {
    await users.create(demoUser);
  } catch (error) {
    // Another node was quicker.
    if (!(error instanceof HoldfastError && error.code === 'username_taken')) throw error;
  }
}
