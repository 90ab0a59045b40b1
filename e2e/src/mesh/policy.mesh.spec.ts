import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labPolicy, type MeshPolicy } from '@parley/mesh/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runCommand, type CommandResult } from '../command.ts';
import { applyPolicy, inHub, meshNeeds, mustApply, readMesh, type MeshUnderTest } from './mesh.ts';
import { toV1, withProductRules } from './traffic.ts';

const launcher = [process.execPath, 'platform/launcher/src/main.ts'] as const;

const diff = async (mesh: MeshUnderTest, policy: MeshPolicy): Promise<CommandResult> => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-policy-'));
  try {
    const path = join(folder, 'policy.json');
    writeFileSync(path, JSON.stringify(policy));
    return await runCommand(mesh, [...launcher, 'mesh:diff', '--policy', path]);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const kubectl = async (mesh: MeshUnderTest, ...args: readonly string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await inHub(mesh, mesh.file.tools.kubectl, ...args);
  if (exitCode !== 0) throw new Error(stderr);
  return stdout;
};

const Versions = z.object({
  items: z.array(z.object({ metadata: z.object({ uid: z.string(), resourceVersion: z.string() }) })),
});

/** Which resources there are, and which version of each: any change to one gives it another. */
const versions = async (mesh: MeshUnderTest): Promise<readonly string[]> => {
  const kinds =
    'virtualservices,destinationrules,peerauthentications,authorizationpolicies,workloadentries,services';
  const listed = await kubectl(
    mesh,
    'get',
    kinds,
    '-A',
    '-l',
    'app.kubernetes.io/managed-by=parley',
    '-o',
    'json',
  );
  const { items } = Versions.parse(JSON.parse(listed));
  return items.map(({ metadata }) => `${metadata.uid}@${metadata.resourceVersion}`).sort();
};

/** What somebody does to a resource behind the project's back, and what the difference must name. */
const edits = [
  {
    what: 'a value changed',
    command: [
      'virtualservice',
      'product',
      '-n',
      'parley',
      '-p',
      '{"spec":{"http":[{"name":"mine","route":[{"destination":{"host":"product.parley.svc.cluster.local","subset":"v2"}}]}]}}',
    ],
    shows: /-.*mine/,
  },
  {
    what: 'a field added that the policy does not have',
    command: [
      'peerauthentication',
      'default',
      '-n',
      'istio-system',
      '-p',
      '{"spec":{"selector":{"matchLabels":{"app":"order"}}}}',
    ],
    shows:
      /would be removed: PeerAuthentication istio-system\/default: spec\.selector\S* \(by kubectl-patch\)/,
  },
] as const;

describe('the policy of a running mesh', () => {
  it('differs from another one, which the difference shows without changing anything', async (context) => {
    if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
    const mesh = readMesh();
    await mustApply(mesh, labPolicy);
    const before = await versions(mesh);
    expect(await diff(mesh, labPolicy)).toMatchObject({ exitCode: 0, stdout: 'no difference\n' });
    const other = await diff(mesh, withProductRules([{ ...toV1, timeoutMs: 1234 }]));
    expect(other.exitCode).toBe(1);
    expect(other.stdout).toMatch(/^\+\s+timeout: 1\.234s$/m);
    expect(other.stdout).toMatch(/^-\s+- match:$/m);
    const fewer = await diff(mesh, { ...labPolicy, traffic: [] });
    expect(fewer).toMatchObject({
      exitCode: 1,
      stdout: 'would be deleted: VirtualService parley/product\n',
    });
    expect(await versions(mesh)).toEqual(before);
  });

  it('is applied a second time without a change to any resource', async (context) => {
    if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
    const mesh = readMesh();
    const policy = withProductRules([{ ...toV1, timeoutMs: 2345 }]);
    try {
      await mustApply(mesh, policy);
      const before = await versions(mesh);
      await mustApply(mesh, policy);
      expect(await versions(mesh)).toEqual(before);
    } finally {
      await mustApply(mesh, labPolicy);
    }
  });

  for (const { what, command, shows } of edits)
    it(`that was edited by hand, ${what}, is shown to differ, and applying it undoes the edit`, async (context) => {
      if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
      const mesh = readMesh();
      await kubectl(mesh, 'patch', ...command.slice(0, 4), '--type', 'merge', ...command.slice(4));
      try {
        const edited = await diff(mesh, labPolicy);
        expect(edited.exitCode).toBe(1);
        expect(edited.stdout).toMatch(shows);
      } finally {
        expect(await applyPolicy(mesh, labPolicy)).toMatchObject({ exitCode: 0 });
      }
      expect(await diff(mesh, labPolicy)).toMatchObject({ exitCode: 0, stdout: 'no difference\n' });
      const before = await versions(mesh);
      await mustApply(mesh, labPolicy);
      expect(await versions(mesh)).toEqual(before);
    });

  it('is told with the state of every sidecar, in a table and as JSON', async (context) => {
    if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
    const mesh = readMesh();
    const table = await runCommand(mesh, [...launcher, 'mesh:status']);
    const json = await runCommand(mesh, [...launcher, 'mesh:status', '--json']);
    expect([table.exitCode, json.exitCode]).toEqual([0, 0]);
    const Nodes = z.object({
      nodes: z.array(
        z.looseObject({ name: z.string(), sidecar: z.string(), certificateSeconds: z.number().optional() }),
      ),
    });
    const { nodes } = Nodes.parse(JSON.parse(json.stdout));
    expect(nodes.map(({ name }) => name)).toEqual(mesh.file.nodes.map(({ name }) => name));
    for (const { name, sidecar } of nodes) {
      expect(table.stdout).toContain(name);
      expect(sidecar).toBe(name === 'plain' ? 'none' : 'ready');
    }
    // The sidecar whose certificate comes from files does not say how long that holds.
    const lifetimes = nodes.flatMap(({ certificateSeconds }) => certificateSeconds ?? []);
    expect(Math.min(...lifetimes)).toBeGreaterThan(0);
    expect(lifetimes.length).toBeGreaterThan(0);
  });
});
