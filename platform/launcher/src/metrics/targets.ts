import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Endpoints, Instance } from '@parley/contracts/endpoints';

/** Instances with the same labels, as Prometheus reads them from a file (`file_sd_configs`). */
interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** The file that lists what of a stack has metrics, beside Prometheus' configuration; it is read again when it changes. */
export const targetsPath = (runDir: string): string => join(runDir, 'prometheus', 'targets', 'services.json');

/** An instance is told apart by its id, which it keeps over restarts; `service_name` as in every other signal. */
export const targetOf = ({ service, id, version, host, ports }: Instance): TargetGroup => ({
  targets: [`${host}:${ports.ops}`],
  labels: { instance: id, service_name: service, service_version: version },
});

/** Tells Prometheus which instances the stack has, as a whole: it reads the old list or the new one, never half of it. */
export const writeTargets = async (runDir: string, { instances }: Endpoints): Promise<void> => {
  const path = targetsPath(runDir);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, JSON.stringify(instances.map(targetOf), undefined, 2));
  await rename(`${path}.new`, path);
};

/** What an earlier start listed says nothing of this one. */
export const removeTargets = (runDir: string): Promise<void> => rm(targetsPath(runDir), { force: true });
