import { type MeshFile, type Resource } from '@parley/mesh';
import { z } from 'zod';
import { kubectl } from './kubectl.ts';

/** By which the API server knows what this project set. */
export const fieldManager = 'parley';

/** Kubernetes' set of fields: keys are names of fields, values the sets below them. */
interface Fields {
  readonly [key: string]: Fields;
}
const Fields: z.ZodType<Fields> = z.lazy(() => z.record(z.string(), Fields));

const Live = z.object({
  kind: z.string(),
  metadata: z.object({
    name: z.string(),
    namespace: z.string().default(''),
    managedFields: z
      .array(
        z.object({ manager: z.string(), subresource: z.string().optional(), fieldsV1: Fields.optional() }),
      )
      .default([]),
  }),
});

/** Fields of a resource that somebody added besides what a policy says; applying the policy again would not remove them. */
export interface AddedFields {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  /** Who, as the API server names the client: `kubectl-edit`. */
  readonly managers: readonly string[];
  readonly fields: readonly string[];
}

const pathsIn = (fields: Fields, path: string): string[] => {
  const below = Object.entries(fields).filter(([key]) => key !== '.');
  if (below.length === 0) return [path];
  return below.flatMap(([key, value]) => pathsIn(value, `${path}.${key.replace(/^f:/, '')}`));
};

const specPaths = (fields: Fields | undefined): string[] => {
  const spec = fields?.['f:spec'];
  return spec === undefined ? [] : pathsIn(spec, 'spec');
};

const addedTo = ({ kind, metadata }: z.infer<typeof Live>): AddedFields[] => {
  const { name, namespace, managedFields } = metadata;
  const isOurs = ({ manager }: { readonly manager: string }): boolean => manager === fieldManager;
  const ours = new Set(managedFields.filter(isOurs).flatMap(({ fieldsV1 }) => specPaths(fieldsV1)));
  const added = managedFields
    .filter((entry) => !isOurs(entry) && entry.subresource === undefined)
    .map(({ manager, fieldsV1 }) => ({
      manager,
      fields: specPaths(fieldsV1).filter((path) => !ours.has(path)),
    }))
    .filter(({ fields }) => fields.length > 0);
  if (added.length === 0) return [];
  const fields = [...new Set(added.flatMap((one) => one.fields))].sort();
  return [{ kind, name, namespace, managers: added.map(({ manager }) => manager), fields }];
};

/** What others added to resources of a policy. */
export const addedFields = async (
  mesh: MeshFile,
  { kinds, mark }: { readonly kinds: string; readonly mark: string },
): Promise<readonly AddedFields[]> => {
  const args = ['get', `${kinds},services`, '-A', '-l', mark, '-o', 'json', '--show-managed-fields'];
  const { items } = z.object({ items: z.array(Live) }).parse(JSON.parse(await kubectl(mesh, args)));
  return items.flatMap(addedTo);
};

/** Those of the rendered resources that others added fields to. */
export const withAddedFields = (
  resources: readonly Resource[],
  added: readonly AddedFields[],
): readonly Resource[] =>
  resources.filter(({ kind, metadata }) =>
    added.some(
      (one) =>
        one.kind === kind && one.name === metadata.name && one.namespace === (metadata.namespace ?? ''),
    ),
  );

/** In words: which resource, what, and by whom. */
export const describeAdded = ({ kind, name, namespace, managers, fields }: AddedFields): string =>
  `${kind} ${namespace}/${name}: ${fields.join(', ')} (by ${managers.join(', ')})`;
