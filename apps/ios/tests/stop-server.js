/** Ends the server, and waits until its database is gone. */
module.exports = async () => {
  const child = globalThis.holdfastServer;
  if (child === undefined) return;
  globalThis.holdfastServer = undefined;
  const ended = new Promise((resolve) => void child.once('close', resolve));
  child.stdin.end();
  await ended;
};
