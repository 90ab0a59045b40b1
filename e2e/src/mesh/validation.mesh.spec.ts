import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labPolicy, renderMesh, toYaml, topologyOf } from '@parley/mesh/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CommandResult } from '../command.ts';
import { inHub, meshNeeds, readMesh } from './mesh.ts';

const networking = 'networking.istio.io/v1';
const host = 'product.parley.svc.cluster.local';
const destination = { host, subset: 'v1' };

interface Mistake {
  readonly what: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: Readonly<Record<string, unknown>>;
}

const virtualService = (what: string, spec: Readonly<Record<string, unknown>>): Mistake => ({
  what,
  apiVersion: networking,
  kind: 'VirtualService',
  spec: { hosts: [host], ...spec },
});
const destinationRule = (what: string, spec: Readonly<Record<string, unknown>>): Mistake => ({
  what,
  apiVersion: networking,
  kind: 'DestinationRule',
  spec,
});
const peerAuthentication = (what: string, spec: Readonly<Record<string, unknown>>): Mistake => ({
  what,
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  spec,
});
const service = (what: string, ports: readonly object[]): Mistake => ({
  what,
  apiVersion: 'v1',
  kind: 'Service',
  spec: { selector: { app: 'product' }, ports },
});

/** Each is one slip in a resource that would be good without it. */
const mistakes: readonly Mistake[] = [
  virtualService('an unknown field', { routes: [{ destination }] }),
  virtualService('a negative weight', { http: [{ route: [{ destination, weight: -5 }] }] }),
  virtualService('a fault on 150 %', {
    http: [{ fault: { abort: { httpStatus: 503, percentage: { value: 150 } } }, route: [{ destination }] }],
  }),
  virtualService('a time in words', { http: [{ timeout: '3 seconds', route: [{ destination }] }] }),
  destinationRule('an unknown TLS mode', { host, trafficPolicy: { tls: { mode: 'ISTIO_MUTAL' } } }),
  destinationRule('a subset twice', {
    host,
    subsets: [
      { name: 'v1', labels: { version: 'v1' } },
      { name: 'v1', labels: { version: 'v2' } },
    ],
  }),
  destinationRule('no host', { trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } }),
  peerAuthentication('an unknown mode', { mtls: { mode: 'STRIKT' } }),
  peerAuthentication('a port rule without a selector', { portLevelMtls: { '8003': { mode: 'DISABLE' } } }),
  peerAuthentication('a field in the wrong case', { mTLS: { mode: 'STRICT' } }),
  service('a port beyond 65535', [{ name: 'http', port: 80_030 }]),
  service('two ports without names', [{ port: 80 }, { port: 81 }]),
  service('a port in words', [{ name: 'http', port: 'eighty' }]),
];

/** Says nothing to the API server's own check: only `istioctl analyze` looks at more than one resource. */
const missingSubset = virtualService('a subset that no rule has', {
  http: [{ route: [{ destination: { host, subset: 'v9' } }] }],
});

describe('the resources of the mesh', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'parley-validation-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const written = ({ what, ...rest }: Mistake): string =>
    write(
      `${what.replaceAll(/\W+/g, '-')}.json`,
      JSON.stringify({ ...rest, metadata: { name: 'planted', namespace: 'parley' } }),
    );
  const dryRun = (path: string): Promise<CommandResult> =>
    inHub(
      readMesh(),
      readMesh().file.tools.kubectl,
      'apply',
      '--dry-run=server',
      '--validate=strict',
      '-f',
      path,
    );

  it('pass the API server, the webhook of istiod and istioctl analyze', async (context) => {
    if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
    const { file } = readMesh();
    const rendered = write('rendered.yaml', toYaml(renderMesh(labPolicy, topologyOf(file))));
    const applied = await inHub(
      readMesh(),
      file.tools.kubectl,
      ...[
        'apply',
        '--server-side',
        '--field-manager=parley',
        '--dry-run=server',
        '--validate=strict',
        '-f',
        rendered,
      ],
    );
    expect(applied.stderr).toBe('');
    expect(applied.exitCode).toBe(0);
    const analyzed = await inHub(
      readMesh(),
      file.tools.istioctl,
      'analyze',
      '--use-kube=false',
      '-A',
      rendered,
    );
    // Subsets whose instances are no pods are unknown to it: nothing else may be found.
    const errors = analyzed.stdout
      .split('\n')
      .filter((line) => line.startsWith('Error') && !line.includes('IST0173'));
    expect(errors).toEqual([]);
  });

  it('with any one of thirteen planted mistakes are refused before they take effect', async (context) => {
    if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
    const results = await Promise.all(
      mistakes.map(async (mistake) => ({ what: mistake.what, ...(await dryRun(written(mistake))) })),
    );
    const unseen = results.filter(({ exitCode }) => exitCode === 0).map(({ what }) => what);
    expect(unseen).toEqual([]);
    for (const { what, stderr } of results)
      expect(stderr, what).toMatch(/invalid|unknown|denied|unmarshal|must|error/i);
  });

  it('with a subset that no rule has pass the API server, and istioctl analyze finds it', async (context) => {
    if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
    const { tools } = readMesh().file;
    const path = written(missingSubset);
    expect((await dryRun(path)).exitCode).toBe(0);
    const analyzed = await inHub(readMesh(), tools.istioctl, 'analyze', '--use-kube=false', '-A', path);
    expect(analyzed.exitCode).not.toBe(0);
    expect(`${analyzed.stdout}${analyzed.stderr}`).toContain('IST0101');
  });
});
