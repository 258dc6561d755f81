import { connect, type PeerCertificate } from 'node:tls';
import { isOrigin } from '../registrations/clients.ts';
import { describeConnection, fail, ok, warn, type Finding } from './finding.ts';

const WAIT_MS = 3_000;
const CERTIFICATE_WARNING_DAYS = 14;

/** Checks the issuer as a client would: it must be an origin, use TLS, and answer as this server. */
export async function diagnoseIssuer(issuer: string): Promise<readonly Finding[]> {
  if (!isOrigin(issuer)) return [fail('issuer', 'no origin', 'write scheme and host alone: https://id.example')];
  const url = new URL(issuer);
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !isLoopback) {
    return [fail('issuer', `${issuer} is not https`, 'tokens and cookies need TLS: use an https issuer')];
  }
  const findings: Finding[] = [];
  if (url.protocol === 'https:') findings.push(await diagnoseCertificate(url));
  return [...findings, await diagnoseMetadata(issuer)];
}

/** RFC 8414 §3.3: the issuer in the document must equal the requested one. */
async function diagnoseMetadata(issuer: string): Promise<Finding> {
  const about = 'issuer';
  try {
    const response = await fetch(`${issuer}/.well-known/oauth-authorization-server`, {
      signal: AbortSignal.timeout(WAIT_MS),
      redirect: 'error',
    });
    const body: unknown = await response.json();
    const named = typeof body === 'object' && body !== null && 'issuer' in body ? body.issuer : null;
    if (named === issuer) return ok(about, `${issuer} answers`);
    return fail(
      about,
      `${issuer} answers as another issuer (status ${response.status})`,
      'let the proxy pass the origin through, and configure the same issuer on every node',
    );
  } catch (error) {
    return warn(
      about,
      `${issuer} does not answer from here (${describeConnection(error)})`,
      'start the server, or look at DNS, firewall and proxy',
    );
  }
}

function diagnoseCertificate({ hostname, port }: URL): Promise<Finding> {
  const about = 'certificate';
  return new Promise((resolve) => {
    const socket = connect(
      { host: hostname, port: Number(port || 443), servername: hostname, timeout: WAIT_MS },
      () => {
        const { valid_to }: PeerCertificate = socket.getPeerCertificate();
        const days = Math.floor((Date.parse(valid_to) - Date.now()) / 86_400_000);
        socket.destroy();
        const found = `valid for ${days} more days`;
        resolve(days < CERTIFICATE_WARNING_DAYS ? warn(about, found, 'renew it') : ok(about, found));
      },
    );
    const giveUp = (error?: Error): void => {
      socket.destroy();
      const found = `${hostname} does not complete a TLS handshake (${describeConnection(error)})`;
      resolve(warn(about, found, 'renew or install the certificate, or start the proxy'));
    };
    socket.once('error', giveUp);
    socket.once('timeout', () => giveUp());
  });
}
