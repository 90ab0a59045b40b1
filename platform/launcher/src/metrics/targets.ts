import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Endpoints } from '@parley/contracts/endpoints';
import type { Instance } from '@parley/service/discovery';

/** Instances with the same labels, as Prometheus reads them from a file (`file_sd_configs`). */
interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

const folderOf = (runDir: string): string => join(runDir, 'prometheus', 'targets');

/** The file with the instances that the launcher starts: what it lists and does not answer is missed. */
export const targetsPath = (runDir: string): string => join(folderOf(runDir), 'services.json');

/**
 * The file with the instances that the registry lists, also those that somebody else started; one that dies leaves it.
 * An instance that is in both files has the same labels in both, and is asked once.
 */
export const registeredPath = (runDir: string): string => join(folderOf(runDir), 'registered.json');

/** An instance is told apart by its id, which it keeps over restarts; `service_name` as in every other signal. */
const targetsOf = (instances: readonly Instance[]): TargetGroup[] =>
  instances.flatMap(({ service, id, version, host, ports: { ops } }) =>
    ops === undefined
      ? []
      : [
          {
            targets: [`${host}:${ops}`],
            labels: { instance: id, service_name: service, service_version: version },
          },
        ],
  );

/** Prometheus reads a file again when it changes: the old list or the new one, never half of it. */
const write = async (path: string, instances: readonly Instance[]): Promise<void> => {
  await writeFile(`${path}.new`, JSON.stringify(targetsOf(instances), undefined, 2));
  await rename(`${path}.new`, path);
};

/** Tells Prometheus which instances the launcher has started. */
export const writeTargets = async (runDir: string, { instances }: Endpoints): Promise<void> => {
  await mkdir(folderOf(runDir), { recursive: true });
  await write(targetsPath(runDir), instances);
};

/** Tells Prometheus which instances the registry lists. Rejects when the stack has no folder for targets. */
export const writeRegisteredTargets = (runDir: string, instances: readonly Instance[]): Promise<void> =>
  write(registeredPath(runDir), instances);

/** What an earlier start listed says nothing of this one. */
export const removeTargets = async (runDir: string): Promise<void> => {
  for (const path of [targetsPath(runDir), registeredPath(runDir)]) await rm(path, { force: true });
};
