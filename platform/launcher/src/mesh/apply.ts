import {
  meshNames,
  renderMesh,
  toYaml,
  topologyOf,
  type MeshFile,
  type MeshPolicy,
  type Resource,
} from '@parley/mesh';
import { z } from 'zod';
import { addedFields, describeAdded, fieldManager, withAddedFields } from './drift.ts';
import { clusterTool, kubectl } from './kubectl.ts';

const mark = `${meshNames.managedBy.key}=${meshNames.managedBy.value}`;
const serverSide = ['--server-side', '--force-conflicts', `--field-manager=${fieldManager}`, '-f', '-'];

/** The kinds that a policy decides on, of which a resource may become superfluous. */
const policyKinds = [
  'virtualservices.networking.istio.io',
  'destinationrules.networking.istio.io',
  'sidecars.networking.istio.io',
  'serviceentries.networking.istio.io',
  'workloadentries.networking.istio.io',
  'peerauthentications.security.istio.io',
  'authorizationpolicies.security.istio.io',
  'telemetries.telemetry.istio.io',
].join(',');

const List = z.object({
  items: z.array(
    z.object({
      kind: z.string(),
      metadata: z.object({ name: z.string(), namespace: z.string().default('') }),
    }),
  ),
});

const keyOf = ({
  kind,
  metadata,
}: {
  kind: string;
  metadata: { name: string; namespace?: string };
}): string => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;

type Superfluous = z.infer<typeof List>['items'];

/** Resources of ours in the cluster that the rendered ones no longer have. */
const superfluous = async (mesh: MeshFile, wanted: readonly Resource[]): Promise<Superfluous> => {
  const keys = new Set(wanted.map(keyOf));
  const listed = await kubectl(mesh, ['get', policyKinds, '-A', '-l', mark, '-o', 'json']);
  return List.parse(JSON.parse(listed)).items.filter((item) => !keys.has(keyOf(item)));
};

/**
 * Makes the cluster have exactly the resources of a policy: what is there is changed in place, what the policy no longer
 * has is deleted, and so are fields that others added. Once more changes nothing. Rejects with what the API server or istiod refused; what was applied before it stays.
 */
export const applyPolicy = async (mesh: MeshFile, policy: MeshPolicy): Promise<readonly string[]> => {
  const resources = renderMesh(policy, topologyOf(mesh));
  const said = await kubectl(mesh, ['apply', ...serverSide], toYaml(resources));
  const added = await addedFields(mesh, { kinds: policyKinds, mark });
  const edited = withAddedFields(resources, added);
  if (edited.length > 0)
    await kubectl(mesh, ['replace', `--field-manager=${fieldManager}`, '-f', '-'], toYaml(edited));
  const old = await superfluous(mesh, resources);
  for (const { kind, metadata } of old)
    await kubectl(mesh, ['delete', kind, metadata.name, '-n', metadata.namespace]);
  return [
    ...said.trim().split('\n'),
    ...added.map((one) => `removed from ${describeAdded(one)}`),
    ...old.map((item) => `${keyOf(item)} deleted`),
  ];
};

/** What applying a policy would change, as a unified diff and a list of what would be deleted; empty when nothing. The cluster stays as it is. */
export const diffPolicy = async (mesh: MeshFile, policy: MeshPolicy): Promise<string> => {
  const resources = renderMesh(policy, topologyOf(mesh));
  const { exitCode, stdout, stderr } = await clusterTool(
    mesh,
    [mesh.tools.kubectl, 'diff', ...serverSide],
    toYaml(resources),
  );
  if (exitCode > 1) throw new Error(`kubectl diff ended with ${exitCode}:\n${stderr.trim()}`);
  const old = await superfluous(mesh, resources);
  const added = await addedFields(mesh, { kinds: policyKinds, mark });
  return [
    stdout,
    ...added.map((one) => `would be removed: ${describeAdded(one)}\n`),
    ...old.map((item) => `would be deleted: ${keyOf(item)}\n`),
  ].join('');
};
