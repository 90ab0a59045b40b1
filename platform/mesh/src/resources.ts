import { stringify } from 'yaml';
import { meshNames } from './topology.ts';

/** A Kubernetes resource as data. */
export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly [part: string]: unknown;
}

/** Which resource to make, and with what besides its metadata. */
export interface ResourceOptions {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** The project's own when absent; null for kinds that have none. */
  readonly namespace?: string | null;
  readonly labels?: Readonly<Record<string, string>>;
  readonly body?: Readonly<Record<string, unknown>>;
}

/** Makes a resource that carries the project's mark. */
export const resource = (options: ResourceOptions): Resource => {
  const { apiVersion, kind, name, namespace = meshNames.namespace, labels = {}, body = {} } = options;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === null ? {} : { namespace }),
      labels: { [meshNames.managedBy.key]: meshNames.managedBy.value, ...labels },
    },
    ...body,
  };
};

/** Resources as one YAML file, in their order. The same resources give the same text. */
export const toYaml = (resources: readonly Resource[]): string =>
  resources.map((one) => stringify(one, { aliasDuplicateObjects: false })).join('---\n');
