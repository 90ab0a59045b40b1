import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { createAuthority, type KeyPair } from '@parley/mesh';
import { controlPlanePorts as ports } from './ports.ts';
import type { MeshProcessOptions } from './processes.ts';

const probeTimeoutMs = 2000;

/** Files of one party: its certificate with those above it, and its key. */
interface Identity {
  readonly certificate: string;
  readonly key: string;
}

/** Where etcd listens and whom it lets in. */
export interface Etcd {
  readonly command: readonly [string, ...string[]];
  readonly isReady: MeshProcessOptions['isReady'];
  /** Flags by which the API server reaches it. */
  readonly clientFlags: Readonly<Record<string, string>>;
}

/** Whether a GET under both certificates is answered with 200 in time. Never rejects. */
const answersOk = (url: string, identity: { readonly ca: string } & KeyPair): Promise<boolean> =>
  new Promise((resolve) => {
    const { ca, chain: cert, key } = identity;
    const sent = request(url, { ca, cert, key, agent: false, timeout: probeTimeoutMs }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => {
      resolve(false);
    });
    sent.end();
  });

/**
 * Where the API server keeps its resources. Whoever reaches etcd could rewrite them, policy included, and in the
 * loopback form every process of the machine reaches it: so it takes nobody but holders of a certificate of an authority
 * of its own, which only this run's API server has. `folder` is emptied at each start.
 */
export const etcdIn = async (folder: string, host: string): Promise<Etcd> => {
  const own = join(folder, 'etcd-pki');
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const authority = await createAuthority('etcd');
  const ca = join(own, 'root.pem');
  writeFileSync(ca, authority.root);
  const keep = (name: string, { chain, key }: KeyPair): Identity => {
    const files = { certificate: join(own, `${name}.pem`), key: join(own, `${name}-key.pem`) };
    writeFileSync(files.certificate, chain);
    writeFileSync(files.key, key, { mode: 0o600 });
    return files;
  };
  const server = keep('server', await authority.issue(host));
  const client = await authority.issue(host);
  const clientFiles = keep('client', client);
  const url = `https://${host}:${ports.etcd}`;
  const peer = `https://${host}:${ports.etcdPeer}`;
  const flags = {
    'data-dir': join(folder, 'etcd'),
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'trusted-ca-file': ca,
    'cert-file': server.certificate,
    'key-file': server.key,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'peer-trusted-ca-file': ca,
    'peer-cert-file': server.certificate,
    'peer-key-file': server.key,
  };
  return {
    command: [
      'etcd',
      ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
      '--client-cert-auth',
      '--peer-client-cert-auth',
      '--unsafe-no-fsync', // nothing outlives the run
    ],
    isReady: () => answersOk(`${url}/health`, { ca: authority.root, ...client }),
    clientFlags: {
      'etcd-servers': url,
      'etcd-cafile': ca,
      'etcd-certfile': clientFiles.certificate,
      'etcd-keyfile': clientFiles.key,
    },
  };
};
