import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createAuthority,
  labPolicy,
  openAuthority,
  spiffeIdOf,
  type Authority,
  type KeyPair,
} from '@parley/mesh/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evidence } from '../ledger/evidence.ts';
import { waitFor } from '../wait.ts';
import {
  accessLog,
  load,
  loadUntilStopped,
  meshNeeds,
  metric,
  metricsOf,
  mustApply,
  nodeOf,
  productsUrl,
  readMesh,
  type MeshUnderTest,
} from './mesh.ts';
import { toV1, withProductRules } from './traffic.ts';

const calls = 10;
const settleMs = 120_000;
const dayMs = 86_400_000;

const byReason = 'parley_mesh_refused_certificates_total';
const inbound = /0\.0\.0\.0_15006/;

/** One of the sidecar's metrics: its name, and the labels that tell which of its series. */
interface Counter {
  readonly name: string;
  readonly labels: RegExp;
}

const verifyErrors: Counter = { name: 'envoy_listener_ssl_fail_verify_error', labels: inbound };
const wrongNames: Counter = { name: 'envoy_listener_ssl_fail_verify_san', labels: inbound };
const denials: Counter = { name: 'envoy_http_rbac', labels: /authz_enforce_result="denied".*inbound_/ };
const reason = (name: string): Counter => ({ name: byReason, labels: new RegExp(`reason="${name}"`) });

/** What the sidecar of the service counts. */
const countsOf = async (mesh: MeshUnderTest, counters: readonly Counter[]): Promise<readonly number[]> => {
  const text = await metricsOf(mesh, 'product-v1');
  return counters.map(({ name, labels }) => metric(text, name, labels));
};

/** The mesh's own authority, from the files that istiod signs with. */
const meshAuthority = (mesh: MeshUnderTest): Promise<Authority> => {
  const read = (file: string): string =>
    readFileSync(join(mesh.runDir, 'control-plane/cacerts', file), 'utf8');
  const intermediate = { chain: read('cert-chain.pem'), key: read('ca-key.pem') };
  return openAuthority({ root: read('root-cert.pem'), intermediate });
};

/** Puts a certificate where the sidecar of the drill has its own; pilot-agent sees it and hands it to Envoy. */
const present = (mesh: MeshUnderTest, { chain, key }: KeyPair): void => {
  const folder = join(nodeOf(mesh, 'drill').sidecarDir, 'etc/certs');
  for (const [file, text] of [
    ['cert-chain.pem', chain],
    ['key.pem', key],
  ] as const) {
    writeFileSync(join(folder, `${file}.new`), text, { mode: 0o600 });
    renameSync(join(folder, `${file}.new`), join(folder, file));
  }
};

const serviceLog = (mesh: MeshUnderTest): string =>
  readFileSync(join(mesh.runDir, 'logs', 'sidecar-product-v1.log'), 'utf8');

const callUntil = async (mesh: MeshUnderTest, status: string): Promise<void> => {
  await waitFor(
    `a call answered ${status}`,
    async () => {
      const { statuses } = await load(mesh, 'drill', { url: productsUrl(mesh), count: 1, concurrency: 1 });
      return statuses[status] === 1 ? true : undefined;
    },
    { deadlineMs: settleMs, intervalMs: 200 },
  );
};

interface Drill {
  readonly name: string;
  readonly make: (mesh: Authority, stranger: Authority) => Promise<KeyPair>;
  readonly status: '403' | '503';
  /** Each of these names it: Envoy's own, which do not tell all of them apart, and the mesh's by reason. */
  readonly counted: readonly Counter[];
  /** What the log of the service's sidecar, or the access log, says of it. */
  readonly named: RegExp;
}

const at = (
  notBeforeDays: number,
  notAfterDays: number,
): { readonly notBefore: Date; readonly notAfter: Date } => ({
  notBefore: new Date(Date.now() + notBeforeDays * dayMs),
  notAfter: new Date(Date.now() + notAfterDays * dayMs),
});

const client = spiffeIdOf('client');
const drills: readonly Drill[] = [
  {
    name: 'that has expired',
    make: (mesh) => mesh.issue(client, at(-2, -1)),
    status: '503',
    counted: [verifyErrors, reason('expired')],
    named: /certificate has expired/,
  },
  {
    name: 'that is not valid yet',
    make: (mesh) => mesh.issue(client, at(1, 2)),
    status: '503',
    counted: [verifyErrors, reason('not_yet_valid')],
    named: /certificate is not yet valid/,
  },
  {
    name: 'of another authority',
    make: (_mesh, stranger) => stranger.issue(client),
    status: '503',
    counted: [verifyErrors, reason('unknown_authority')],
    named: /self signed certificate in certificate chain|unable to get local issuer/,
  },
  {
    name: 'of another trust domain',
    make: (mesh) => mesh.issue('spiffe://other.mesh/ns/parley/sa/client'),
    status: '503',
    counted: [wrongNames, reason('wrong_identity')],
    named: /SAN matcher, certificate SANs are \[spiffe:\/\/other\.mesh/,
  },
  {
    name: 'of an identity that may not call',
    make: (mesh) => mesh.issue(spiffeIdOf('intruder')),
    status: '403',
    counted: [denials],
    named: /rbac_access_denied/,
  },
];

describe('a certificate', () => {
  // One request a connection, so that every call shows the certificate.
  beforeAll(async () => {
    if (meshNeeds === undefined) await mustApply(readMesh(), withProductRules([toV1], 1));
  });
  afterAll(async () => {
    if (meshNeeds === undefined) await mustApply(readMesh(), labPolicy);
  });

  for (const { name, make, status, counted, named } of drills)
    it(`${name} is refused, which the metrics count and the log names (EC-5)`, async (context) => {
      if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
      const mesh = readMesh();
      const own = await meshAuthority(mesh);
      await callUntil(mesh, '200');
      const before = await countsOf(mesh, counted);
      const loggedBefore = serviceLog(mesh).length;
      try {
        present(mesh, await make(own, await createAuthority('stranger')));
        await callUntil(mesh, status);
        const correlationId = randomUUID();
        const headers = { 'x-correlation-id': correlationId };
        const sent = await load(mesh, 'drill', {
          url: productsUrl(mesh),
          count: calls,
          concurrency: 2,
          headers,
        });
        expect(sent.statuses).toEqual({ [status]: calls });
        const more = await waitFor(
          'the refusals in the metrics',
          async () => {
            const now = await countsOf(mesh, counted);
            const increases = now.map((count, index) => count - (before[index] ?? 0));
            const [first = 0] = increases;
            return first >= calls && increases.every((increase) => increase === first)
              ? increases
              : undefined;
          },
          { deadlineMs: settleMs, intervalMs: 200 },
        );
        const line = await waitFor(
          'the refusal in the log',
          () => {
            const ofCalls = accessLog(mesh, 'product-v1', correlationId).map((entry) =>
              JSON.stringify(entry),
            );
            const lines = [...serviceLog(mesh).slice(loggedBefore).split('\n'), ...ofCalls];
            return lines.find((text) => named.test(text));
          },
          { deadlineMs: settleMs },
        );
        evidence(context, ['EC-5'], {
          certificate: name,
          calls,
          refused: calls,
          answer: status,
          metrics: counted.map(({ name, labels }, index) => ({
            name,
            labels: labels.source,
            increase: more[index],
          })),
          log: line.slice(0, 400),
        });
      } finally {
        present(mesh, await own.issue(client));
        await callUntil(mesh, '200');
      }
    });

  it('that is rotated under load fails no call (EC-5)', async (context) => {
    if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
    const mesh = readMesh();
    const own = await meshAuthority(mesh);
    const stopLoad = loadUntilStopped(mesh, 'drill', {
      url: productsUrl(mesh),
      concurrency: 4,
      ratePerSecond: 40,
    });
    const updates = async (): Promise<number> =>
      metric(
        await metricsOf(mesh, 'drill'),
        'envoy_cluster_client_ssl_socket_factory_ssl_context_update_by_sds',
        /product/,
      );
    const rotations = 3;
    const before = await updates();
    for (let rotation = 0; rotation < rotations; rotation++) {
      const seen = await updates();
      present(mesh, await own.issue(client));
      await waitFor(
        'the sidecar has the new certificate',
        async () => ((await updates()) > seen ? true : undefined),
        { deadlineMs: settleMs, intervalMs: 200 },
      );
    }
    const sent = await stopLoad();
    expect(sent.errors).toEqual([]);
    expect(sent.statuses).toEqual({ '200': sent.calls });
    evidence(context, ['EC-5'], {
      rotations,
      certificateUpdatesInEnvoy: (await updates()) - before,
      calls: sent.calls,
      newConnectionForEveryCall: true,
      failed: 0,
    });
  });
});
