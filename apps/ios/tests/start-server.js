const { spawn } = require('node:child_process');
const path = require('node:path');

/** Starts the demo's server, once for all tests. `HOLDFAST_EXPORT` names the app's export for the web. */
module.exports = async () => {
  if (globalThis.holdfastServer !== undefined) return;
  const { HOLDFAST_EXPORT: folder } = process.env;
  const args = [path.join(__dirname, 'demo-server.mjs'), ...(folder ? [folder] : [])];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  globalThis.holdfastServer = child;
  const { url, shortUrl } = await new Promise((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      const line = /\{"url":.*\}/u.exec(output);
      if (line !== null) resolve(JSON.parse(line[0]));
    });
    child.once('close', () => reject(new Error('the server did not start')));
  });
  process.env.EXPO_PUBLIC_HOLDFAST_SERVER = url;
  process.env.HOLDFAST_SHORT_SERVER = shortUrl;
};
