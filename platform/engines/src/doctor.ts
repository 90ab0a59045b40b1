import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from './artifacts/cache.ts';
import { fixFor, type Prerequisite, versionOf } from './artifacts/debian.ts';
import { javaRuntime } from './artifacts/pypi.ts';
import { engines } from './engines/index.ts';
import { engineNames } from './ports.ts';

/** One prerequisite or engine: whether it is there. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly version?: string;
  /** The command that brings it, when it is not there. */
  readonly fix?: string;
}

const obtainCommand = 'node platform/engines/src/cli.ts obtain';
const prerequisites: readonly Prerequisite[] = ['python3', 'pip', 'maven', 'rabbitmq'];

const inCache = (name: string, version: string, entry: string): Check =>
  existsSync(join(cacheDir(), entry))
    ? { name, ok: true, version }
    : { name, ok: false, version, fix: obtainCommand };

/** What is there, looking only: nothing is installed, obtained or started. */
export const doctor = async (): Promise<Check[]> => {
  const machine = await Promise.all(
    prerequisites.map(async (name): Promise<Check> => {
      const version = await versionOf(name);
      return version === undefined ? { name, ok: false, fix: fixFor([name]) } : { name, ok: true, version };
    }),
  );
  const java = inCache(javaRuntime.name, javaRuntime.version, `${javaRuntime.name}-${javaRuntime.version}`);
  const cachedEngines = engineNames.flatMap((name) => {
    const { cacheEntry, version } = engines[name];
    return cacheEntry === undefined ? [] : [inCache(name, version, cacheEntry)];
  });
  return [...machine, java, ...cachedEngines];
};
