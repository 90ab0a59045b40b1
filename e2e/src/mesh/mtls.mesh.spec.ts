import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { spiffeIdOf } from '@parley/mesh/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { evidence } from '../ledger/evidence.ts';
import { waitFor } from '../wait.ts';
import {
  accessLog,
  httpPortOf,
  inNode,
  load,
  meshNeeds,
  nodeOf,
  productsUrl,
  readMesh,
  type MeshUnderTest,
} from './mesh.ts';

const Shown = z.object({
  protocol: z.string(),
  chain: z.array(
    z.object({ subjectAltName: z.string().optional(), subject: z.string().optional(), issuer: z.string() }),
  ),
  refusal: z.string(),
});

/** What a workload shows to somebody without a certificate of the mesh, and how it refuses them. */
const handshake = async (mesh: MeshUnderTest, node: string): Promise<z.infer<typeof Shown>> => {
  const target = JSON.stringify({ host: nodeOf(mesh, node).address, port: httpPortOf(mesh, 'product') });
  const script = join(import.meta.dirname, 'tls-process.ts');
  const { stdout, stderr } = await inNode(mesh, 'plain', [process.execPath, script, target]);
  if (stdout === '') throw new Error(stderr);
  return Shown.parse(JSON.parse(stdout));
};

/** Everything that passes an interface of a node while `during` runs, as it lies on the wire. */
const capturePackets = async (
  mesh: MeshUnderTest,
  { node, device }: { readonly node: string; readonly device: string },
  during: () => Promise<void>,
): Promise<Buffer> => {
  const file = join(mesh.runDir, `${node}-${device}.pcap`);
  const filter = ['tcp', 'port', String(httpPortOf(mesh, 'product'))];
  const dump = spawn(
    'ip',
    [
      'netns',
      'exec',
      nodeOf(mesh, node).namespace,
      'tcpdump',
      '-i',
      device,
      '--immediate-mode', // else packets of the last second are lost at the end
      '-U',
      '-s',
      '0',
      '-Z',
      'root',
      '-w',
      file,
      ...filter,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  dump.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  await waitFor('tcpdump listens', () => (said.includes('listening on') ? true : undefined), {
    deadlineMs: 120_000,
  });
  try {
    await during();
  } finally {
    dump.kill('SIGINT');
    await once(dump, 'exit');
  }
  return readFileSync(file);
};

describe('a call between two services', () => {
  it('without a sidecar of its own is refused, in plaintext and with TLS but no certificate (US7.2, FR-017)', async (context) => {
    if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
    const mesh = readMesh();
    const plain = await load(mesh, 'plain', { url: productsUrl(mesh), count: 20, concurrency: 2 });
    expect(plain.statuses).toEqual({ error: 20 });
    const shown = await handshake(mesh, 'product-v1');
    expect(shown.refusal).toMatch(/certificate required/);
    const [leaf] = shown.chain;
    expect(leaf?.subjectAltName).toBe(`URI:${spiffeIdOf('product')}`);
    expect(shown.chain.at(-1)?.subject).toMatch(/mesh root/);
    evidence(context, ['US7.2', 'FR-017'], {
      plaintext: { calls: 20, refused: plain.statuses.error, how: plain.errors[0] },
      tlsWithoutCertificate: shown.refusal.slice(0, 200),
      certificateShown: shown.chain,
    });
  });

  it('is encrypted on the wire under verified certificates of both sides (US7.2, FR-017)', async (context) => {
    if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
    const mesh = readMesh();
    const marker = randomUUID();
    const calls = 50;
    const send = async (): Promise<void> => {
      const headers = { 'x-correlation-id': marker };
      const sent = await load(mesh, 'client', {
        url: productsUrl(mesh),
        count: calls,
        concurrency: 4,
        headers,
      });
      expect(sent.statuses).toEqual({ '200': calls });
    };
    const bytes: Record<string, Buffer> = {};
    bytes.wire = await capturePackets(mesh, { node: 'product-v1', device: 'eth0' }, async () => {
      bytes.inside = await capturePackets(mesh, { node: 'product-v1', device: 'lo' }, send);
    });
    const { wire, inside = Buffer.alloc(0) } = bytes;
    expect(inside.includes(marker), 'the marker is there where the sidecar hands over to the service').toBe(
      true,
    );
    for (const text of [marker, 'HTTP/1.1', 'GET /api', 'productId'])
      expect(wire.includes(text), `${text} on the wire`).toBe(false);
    expect(wire.length).toBeGreaterThan(10_000);
    const lines = await waitFor(
      'the calls in the log of the sidecar',
      () => {
        const found = accessLog(mesh, 'product-v1', marker);
        return found.length === calls ? found : undefined;
      },
      { deadlineMs: 120_000 },
    );
    expect(new Set(lines.map((line) => line.downstream_peer))).toEqual(new Set([spiffeIdOf('client')]));
    expect(new Set(lines.map((line) => line.downstream_tls))).toEqual(new Set(['TLSv1.3']));
    evidence(context, ['US7.2', 'FR-017'], {
      calls,
      bytesOnTheWire: wire.length,
      plaintextOnTheWire: 0,
      bytesBetweenSidecarAndService: inside.length,
      client: spiffeIdOf('client'),
      server: spiffeIdOf('product'),
      protocol: 'TLSv1.3',
    });
  });
});
