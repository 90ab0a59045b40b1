import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';

/** A private signing key of the issuer, as the development key's file has it. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: 'RS256' | 'ES256';
  readonly key: KeyObject;
}

/** What a good token says, told here again: a test that took it from the gateway would prove nothing. */
export const goodClaims = (sub: string, kid: string): Readonly<Record<string, unknown>> => {
  const now = Math.floor(Date.now() / 1000);
  return { sub, iss: 'parley-dev', aud: 'parley-api', key: kid, iat: now, exp: now + 3600 };
};

export const signingKeyOf = (jwk: JsonWebKey & { readonly kid: string }): SigningKey => ({
  kid: jwk.kid,
  alg: jwk.kty === 'EC' ? 'ES256' : 'RS256',
  key: createPrivateKey({ key: jwk, format: 'jwk' }),
});

const encoded = (part: unknown): string =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

type Part = Readonly<Record<string, unknown>> | readonly unknown[] | string;

const signatureOf = (text: string, alg: string, key: KeyObject): string => {
  const data = Buffer.from(text);
  const padded = { key, padding: 6, saltLength: 32 } as const; // RSA_PKCS1_PSS_PADDING
  const made = {
    RS256: () => sign('sha256', data, key),
    RS384: () => sign('sha384', data, key),
    RS512: () => sign('sha512', data, key),
    PS256: () => sign('sha256', data, padded),
    ES256: () => sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }),
  }[alg];
  if (made === undefined) throw new RangeError(`nobody signs with ${alg}`);
  return made().toString('base64url');
};

/** A compact token of any header and payload, signed as `alg` says. */
export const compact = (
  header: Part,
  payload: Part,
  { alg, key }: { readonly alg: string; readonly key: KeyObject },
): string => {
  const text = `${encoded(header)}.${encoded(payload)}`;
  return `${text}.${signatureOf(text, alg, key)}`;
};

/** One attack: the header lines of a request that must be refused. */
export interface Attack {
  readonly name: string;
  readonly authorization: readonly string[];
  readonly path?: string;
  readonly cookie?: string;
}

/** What every group of attacks begins with. */
interface Forge {
  readonly issuer: SigningKey;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly head: Readonly<Record<string, unknown>>;
  readonly good: string;
  /** Header, payload and signature of `good`. */
  readonly parts: readonly [string, string, string];
}

const one = (name: string, token: string): Attack => ({ name, authorization: [`Bearer ${token}`] });

/** A header that claims what the signature is not. */
const algorithmAttacks = ({ issuer, claims, parts: [, p, s] }: Forge): readonly Attack[] => {
  const { kid, alg, key } = issuer;
  const publicKey = createPublicKey(key);
  const spki = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const hmac = (secret: string): string => {
    const text = `${encoded({ alg: 'HS256', kid })}.${p}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };
  const otherAlgs = alg === 'RS256' ? ['RS384', 'RS512', 'PS256'] : [];
  return [
    ...['none', 'None', 'NONE', 'nOnE'].flatMap((none) => [
      one(`alg ${none} without a signature`, `${encoded({ alg: none, typ: 'JWT' })}.${p}.`),
      one(`alg ${none} with a good signature`, `${encoded({ alg: none, kid })}.${p}.${s}`),
    ]),
    one('an empty alg', `${encoded({ alg: '', kid })}.${p}.${s}`),
    one('no alg', `${encoded({ kid })}.${p}.${s}`),
    one('an HS256 key of the public key in PEM', hmac(spki)),
    one('an HS256 key of the public key in PEM without its last line end', hmac(spki.trim())),
    one('an HS256 key of the public key as JWK', hmac(JSON.stringify(publicKey.export({ format: 'jwk' })))),
    one('an HS256 key of nothing', hmac('')),
    ...otherAlgs.map((other) =>
      one(
        `another algorithm of the same key, ${other}`,
        compact({ alg: other, kid }, claims, { alg: other, key }),
      ),
    ),
    one(
      'the algorithm of another kind of key',
      `${encoded({ alg: alg === 'RS256' ? 'ES256' : 'RS256', kid })}.${p}.${s}`,
    ),
  ];
};

/** A stranger’s signature, and what would lead a gateway to the stranger’s key. */
const keyAttacks = ({ issuer, claims, head }: Forge): readonly Attack[] => {
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const heads = (name: string, extra: Readonly<Record<string, unknown>>): Attack =>
    one(name, compact({ ...head, ...extra }, claims, issuer));
  const strange = (name: string, extra: Readonly<Record<string, unknown>>): Attack => {
    const header = { alg: 'RS256', kid: issuer.kid, ...extra };
    return one(name, compact(header, claims, { alg: 'RS256', key: stranger.privateKey }));
  };
  return [
    strange('a stranger’s key under the issuer’s kid', {}),
    strange('a stranger’s key under a kid of nobody', { kid: 'nobody' }),
    strange('a stranger’s key without a kid', { kid: undefined }),
    strange('a kid that is a path', { kid: '../../../../dev/null' }),
    strange('a kid that is a query', { kid: "' UNION SELECT 'key' --" }),
    strange('a kid that is a command', { kid: '|cat /etc/passwd' }),
    strange('an empty kid', { kid: '' }),
    strange('a key that the token brings along (jwk)', { jwk: stranger.publicKey.export({ format: 'jwk' }) }),
    strange('the address of a key set (jku)', { jku: 'http://127.0.0.1:1/jwks.json' }),
    strange('the address of a certificate (x5u)', { x5u: 'http://127.0.0.1:1/cert.pem' }),
    strange('a certificate that the token brings along (x5c)', { x5c: ['MIIB'] }),
    heads('a critical extension that nobody knows', { crit: ['x'], x: 1 }),
    heads('a critical extension of RFC 7797', { crit: ['b64'], b64: true }),
    heads('an empty list of critical extensions', { crit: [] }),
  ];
};

/** The issuer’s own signature under claims that are not for us, or not for now. */
const claimAttacks = ({ issuer, claims, head }: Forge): readonly Attack[] => {
  const now = Math.floor(Date.now() / 1000);
  const says = (name: string, changed: Readonly<Record<string, unknown>>): Attack =>
    one(name, compact(head, { ...claims, ...changed }, issuer));
  const without = (name: string): Attack => {
    const rest = Object.fromEntries(Object.entries(claims).filter(([claim]) => claim !== name));
    return one(`a token without ${name}`, compact(head, rest, issuer));
  };
  return [
    says('an expired token', { exp: now - 60 }),
    says('a token that has never been valid', { exp: -1 }),
    says('a token of the future', { nbf: now + 3600 }),
    says('an exp that is text', { exp: String(now + 3600) }),
    ...['exp', 'iss', 'aud', 'sub'].map(without),
    says('another issuer', { iss: 'someone-else' }),
    says('an issuer that begins alike', { iss: 'parley-dev.evil.example' }),
    says('another audience', { aud: 'another-api' }),
    says('an audience that begins alike', { aud: 'parley-api-admin' }),
    says('an empty list of audiences', { aud: [] }),
    says('an empty subject', { sub: '' }),
    says('a subject with a blank around it', { sub: ' alice' }),
    says('a subject with a header of its own', { sub: 'alice\r\nx-user-id: root' }),
    one('claims that are a list', compact(head, [claims], issuer)),
    one('claims that are no JSON', compact(head, 'claims', issuer)),
  ];
};

/** A good token in a form or at a place that is not a good token’s. */
const formAttacks = ({ issuer, claims, head, good, parts: [h, p, s] }: Forge): readonly Attack[] => {
  const bobs = compact(head, { ...claims, sub: 'bob' }, issuer);
  return [
    { name: 'no token', authorization: [] },
    one('an empty token', ''),
    one('not a token', 'rubbish'),
    one('three parts of nothing', '..'),
    { name: 'another scheme', authorization: [`Basic ${good}`] },
    { name: 'a token without a scheme', authorization: [good] },
    { name: 'a token in the query', authorization: [], path: `?access_token=${good}&jwt=${good}` },
    { name: 'a token in a cookie', authorization: [], cookie: `jwt=${good}; access_token=${good}` },
    one('an empty signature', `${h}.${p}.`),
    one('a stripped signature', `${h}.${p}`),
    one('a signature cut short', `${h}.${p}.${s.slice(0, -8)}`),
    one('the signature of another token', `${h}.${p}.${bobs.split('.')[2] ?? ''}`),
    one('changed claims', `${h}.${encoded({ ...claims, sub: 'mallory' })}.${s}`),
    { name: 'two headers, of two users', authorization: [`Bearer ${good}`, `Bearer ${bobs}`] },
    { name: 'two tokens in one header', authorization: [`Bearer ${good}, Bearer ${good}`] },
    one('padding behind each part', `${h}==.${p}==.${s}==`),
    one('a blank in the token', `${h}. ${p}.${s}`),
    one('JSON serialization', JSON.stringify({ payload: p, protected: h, signature: s })),
    one(
      'general JSON serialization',
      JSON.stringify({ payload: p, signatures: [{ protected: h, signature: s }] }),
    ),
    one('five parts, as an encrypted token has', `${h}.${p}.${s}.${s}.${s}`),
  ];
};

/** Every attack of RFC 8725 and of what gateways have fallen for; the issuer’s key signs where only the rest is to be wrong. */
export const attacks = (issuer: SigningKey): readonly Attack[] => {
  const claims = goodClaims('alice', issuer.kid);
  const head = { alg: issuer.alg, kid: issuer.kid };
  const good = compact(head, claims, issuer);
  const [h = '', p = '', s = ''] = good.split('.');
  const forge = { issuer, claims, head, good, parts: [h, p, s] } as const;
  return [formAttacks, algorithmAttacks, keyAttacks, claimAttacks].flatMap((make) => make(forge));
};
