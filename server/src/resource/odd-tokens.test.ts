import { describe, expect, test } from 'vitest';
import { AUDIENCE, createTestIssuer, TOKEN_ISSUER } from '../testing/issuer.ts';
import { createResourceGuard } from './guard.ts';

type Json = Readonly<Record<string, unknown>>;
type Case = readonly [string, Json];

const issuer = createTestIssuer();
const guard = createResourceGuard({ issuer: TOKEN_ISSUER, audience: AUDIENCE, fetch: issuer.fetch });
const isAdmitted = async (token: string): Promise<boolean> =>
  (await guard.check({ method: 'GET', target: '/', authorization: `Bearer ${token}`, dpop: undefined })).ok;

const nowSeconds = Math.floor(Date.now() / 1_000);
/** Values that are not strings; some contain the valid string. */
const noString = (sound: string): readonly unknown[] => [
  null,
  undefined,
  true,
  false,
  0,
  1,
  -1,
  1.5,
  [],
  [null],
  {},
  [sound],
  { 0: sound },
  [[sound]],
];
const noTime = (sound: number): readonly unknown[] => [
  null,
  true,
  false,
  '',
  String(sound),
  'now',
  [],
  {},
  [sound],
  `${sound}.0`,
];
const each = (member: string, values: readonly unknown[]): readonly Case[] =>
  values.map((value) => [`${member}: ${JSON.stringify(value)}`, { [member]: value }]);

const CLAIMS: readonly Case[] = [
  ...['sub', 'sid', 'jti', 'client_id', 'scope', 'acr'].flatMap((member) => each(member, noString('a'))),
  ...each('iss', [
    ...noString(TOKEN_ISSUER),
    '',
    `${TOKEN_ISSUER}/`,
    'HTTPS://id.example',
    'http://id.example',
    `${TOKEN_ISSUER} `,
    `${TOKEN_ISSUER}\u0000`,
  ]),
  ...each('aud', [
    null,
    true,
    0,
    '',
    [],
    {},
    [[AUDIENCE]],
    { 0: AUDIENCE },
    [null],
    'api.example',
    'http://api.example',
    `${AUDIENCE}/notes`,
    `${AUDIENCE}.`,
    `${AUDIENCE}:444`,
    `${AUDIENCE}?x`,
    TOKEN_ISSUER,
    [AUDIENCE, TOKEN_ISSUER],
    [AUDIENCE, `${TOKEN_ISSUER}/`],
    `https://user@api.example`,
  ]),
  ...each('exp', [...noTime(nowSeconds + 900), 0, -1, nowSeconds - 60, nowSeconds - 6]),
  ...each('iat', [...noTime(nowSeconds), nowSeconds + 30, nowSeconds + 60, nowSeconds + 3_600, 1e300]),
  ...each('nbf', [...noTime(nowSeconds), nowSeconds + 30, nowSeconds + 60, 1e300]),
  ...each('auth_time', noTime(nowSeconds)),
  ...each('amr', [null, true, 0, 'pwd', {}, [null], [0], [['pwd']], ['pwd', true]]),
  ...each('cnf', [
    null,
    true,
    0,
    'a',
    [],
    {},
    { jkt: null },
    { jkt: 0 },
    { jkt: ['a'] },
    { 'x5t#S256': 'a' },
    { jkt: 'a', kid: 'b' },
    { jwk: {} },
    { jkt: 'A'.repeat(43) },
  ]),
];

const HEADERS: readonly Case[] = [
  ...each('alg', [
    ...noString('ES256'),
    '',
    'none',
    'None',
    'NONE',
    'es256',
    'ES256 ',
    'ES256K',
    'ES384',
    'ES512',
    'HS256',
    'HS384',
    'HS512',
    'RS256',
    'PS256',
    'EdDSA',
    'Ed25519',
    'dir',
    'ECDH-ES',
    '__proto__',
  ]),
  ...each('typ', [
    ...noString('at+jwt'),
    '',
    'JWT',
    'jwt',
    'dpop+jwt',
    'logout+jwt',
    'at+jwt ',
    'at jwt',
    'application/jwt',
    'text/at+jwt',
  ]),
  ...each('kid', [
    ...noString('current'),
    '',
    'Current',
    'current ',
    'current\u0000',
    '../current',
    '__proto__',
    'constructor',
  ]),
  ...each('crit', [null, true, 0, '', [], {}, ['exp'], ['b64'], ['kid']]),
];

const token = issuer.token();
const [header = '', claims = '', signature = ''] = token.split('.');
const other = createTestIssuer().token().split('.');
const text = (part: string): string => Buffer.from(part, 'base64url').toString();
const encode = (part: string): string => Buffer.from(part).toString('base64url');
const twice = encode(text(claims).replace('{', `{"aud":"${AUDIENCE}","aud":"x",`));
const FORMS: readonly (readonly [string, string])[] = [
  ['nothing', ''], ['one part', header], ['two parts', `${header}.${claims}`], ['an empty signature', `${header}.${claims}.`],
  ['no claims', `${header}..${signature}`], ['no header', `.${claims}.${signature}`], ['four parts', `${token}.${signature}`],
  ['five parts, as encryption has them', `${header}.${claims}.${signature}.${claims}.${signature}`],
  ['padding', `${header}.${claims}.${signature}==`], ['a space', `${header}. ${claims}.${signature}`],
  ['standard base64', `${header}+.${claims}.${signature}`], ['the parts in another order', `${claims}.${header}.${signature}`],
  ["another issuer's signature", `${header}.${claims}.${other[2]}`], ["another issuer's claims", `${header}.${other[1]}.${signature}`],
  ["another issuer's token", other.join('.')], ['a signature of zeros', `${header}.${claims}.${'A'.repeat(86)}`],
  ['a signature of ones', `${header}.${claims}.${'_'.repeat(85)}w`], ['a shorter signature', `${header}.${claims}.${signature.slice(1)}`],
  ['a longer signature', `${header}.${claims}.AAAA${signature}`], ['a signature in DER', `${header}.${claims}.${encode('0D\u0002 '.padEnd(72, 'x'))}`],
  ['a claim twice', `${header}.${twice}.${signature}`], ['claims that are an array', `${header}.${encode('[]')}.${signature}`],
  ['claims that are null', `${header}.${encode('null')}.${signature}`], ['claims that are no JSON', `${header}.${encode('{')}.${signature}`],
  ['a header that is an array', `${encode('[]')}.${claims}.${signature}`], ['a header that is null', `${encode('null')}.${claims}.${signature}`],
  ['a byte order mark', `${encode(`\uFEFF${text(header)}`)}.${claims}.${signature}`], ['white space in the header', `${encode(` ${text(header)}`)}.${claims}.${signature}`],
]; // prettier-ignore

// Each of these, if admitted, would let an attacker act as another user.
describe('odd and forged access tokens', () => {
  test('has at least 300 cases, and admits the valid token', async () => {
    expect(CLAIMS.length + HEADERS.length + FORMS.length).toBeGreaterThanOrEqual(300);
    expect(await isAdmitted(token)).toBe(true);
  });

  test.each(CLAIMS)('signed by the issuer, with %s', async (_name, odd) => {
    expect(await isAdmitted(issuer.token(odd))).toBe(false);
  });

  test.each(HEADERS)('signed by the issuer, under a header with %s', async (_name, odd) => {
    expect(await isAdmitted(issuer.token({}, odd))).toBe(false);
  });

  test.each(FORMS)('%s', async (_name, odd) => {
    expect(await isAdmitted(odd)).toBe(false);
  });
});
