import { isIP } from 'node:net';
import 'reflect-metadata'; // asked for by x509's dependency injection, before it
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 86_400_000;

/** From when to when a certificate holds. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** A certificate with all above it, leaf first, and its private key (PKCS #8), as PEM. */
export interface KeyPair {
  readonly chain: string;
  readonly key: string;
}

/** A certificate authority: a root, and an intermediate that signs. */
export interface Authority {
  readonly root: string;
  readonly intermediate: KeyPair;
  /** A workload's certificate with this SPIFFE id, as istiod would sign it, but for any time; or with an IP address. */
  issue(identity: string, validity?: Validity): Promise<KeyPair>;
}

const fromNow = (days: number): Validity => ({
  notBefore: new Date(Date.now() - 60_000), // clocks differ
  notAfter: new Date(Date.now() + days * dayMs),
});

const newKeys = () => crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
/** Node and the browsers' types each have a CryptoKey of their own; this is whichever is in force. */
type PrivateKey = Awaited<ReturnType<typeof newKeys>>['privateKey'];

const pemOf = async (key: PrivateKey): Promise<string> =>
  x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');

const authorityExtensions = (pathLength?: number): x509.Extension[] => [
  new x509.BasicConstraintsExtension(true, pathLength, true),
  new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
];

const workloadExtensions = (identity: string): x509.Extension[] => [
  new x509.BasicConstraintsExtension(false, undefined, true),
  new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
  new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
  new x509.SubjectAlternativeNameExtension(
    [{ type: isIP(identity) === 0 ? 'url' : 'ip', value: identity }],
    true,
  ),
];

/** Signs workloads' certificates with an intermediate authority. */
const issuer =
  (chain: string, signingKey: PrivateKey): Authority['issue'] =>
  async (identity, validity = fromNow(1)) => {
    const own = await newKeys();
    const leaf = await x509.X509CertificateGenerator.create({
      subject: '',
      issuer: new x509.X509Certificate(chain).subject,
      publicKey: own.publicKey,
      signingKey,
      signingAlgorithm: algorithm,
      ...validity,
      extensions: workloadExtensions(identity),
    });
    return { chain: `${leaf.toString('pem')}\n${chain}`, key: `${await pemOf(own.privateKey)}\n` };
  };

/** An authority from what it was kept as: its root, and its intermediate's chain and key. */
export const openAuthority = async (kept: Pick<Authority, 'root' | 'intermediate'>): Promise<Authority> => {
  const { root, intermediate } = kept;
  const [pkcs8] = x509.PemConverter.decode(intermediate.key);
  if (pkcs8 === undefined) throw new RangeError('the key of the authority is no PEM');
  const key = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
  return { root, intermediate, issue: issuer(intermediate.chain, key) };
};

/** Makes an authority of its own: two of them do not trust each other. */
export const createAuthority = async (name: string): Promise<Authority> => {
  const rootKeys = await newKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: `O=Parley,CN=${name} root`,
    keys: rootKeys,
    signingAlgorithm: algorithm,
    ...fromNow(365),
    extensions: authorityExtensions(),
  });
  const keys = await newKeys();
  const intermediate = await x509.X509CertificateGenerator.create({
    subject: `O=Parley,CN=${name} intermediate`,
    issuer: root.subject,
    publicKey: keys.publicKey,
    signingKey: rootKeys.privateKey,
    signingAlgorithm: algorithm,
    ...fromNow(180),
    extensions: authorityExtensions(0),
  });
  const chain = `${intermediate.toString('pem')}\n${root.toString('pem')}\n`;
  return openAuthority({
    root: `${root.toString('pem')}\n`,
    intermediate: { chain, key: `${await pemOf(keys.privateKey)}\n` },
  });
};
