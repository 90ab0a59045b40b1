import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { IntegrityError } from '../errors.ts';
import { cached, cacheDir } from './cache.ts';
import { ensure } from './debian.ts';
import { run } from './run.ts';

const lockFolder = join(import.meta.dirname, '..', '..', 'lock');
const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';
const deadlineMs = 15 * 60_000;

const sha256Of = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
};

/** `lock/<name>.sha256`, in the format of sha256sum: file name to hash. */
const lockOf = (name: string): Map<string, string> =>
  new Map(
    readFileSync(join(lockFolder, `${name}.sha256`), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): [string, string] => [line.slice(66), line.slice(0, 64)]),
  );

const verify = async (folder: string, name: string): Promise<void> => {
  const lock = lockOf(name);
  const files = readdirSync(folder);
  const missing = [...lock.keys()].filter((file) => !files.includes(file));
  const strange: string[] = [];
  for (const file of files) if (lock.get(file) !== (await sha256Of(join(folder, file)))) strange.push(file);
  if (missing.length + strange.length > 0)
    throw new IntegrityError(
      `${name}: missing [${missing.join(', ')}], not as locked [${strange.join(', ')}]`,
    );
};

/** One thing from Maven Central. */
export interface MavenSource {
  readonly name: string;
  readonly version: string;
  /** Coordinates of a single file; without them, all runtime dependencies of `lock/<name>.pom.xml`. */
  readonly artifact?: string;
  /** The single file is a tarball: unpacked after its check. */
  readonly unpack?: boolean;
}

/** Folder with the files of a source, each checked against `lock/<name>.sha256`. */
export const fromMaven = ({ name, version, artifact, unpack }: MavenSource): Promise<string> =>
  cached({
    root: cacheDir(),
    name: `${name}-${version}`,
    build: async (folder) => {
      await ensure(['maven']);
      const goal =
        artifact === undefined
          ? [
              `${plugin}:copy-dependencies`,
              '-f',
              join(lockFolder, `${name}.pom.xml`),
              '-DincludeScope=runtime',
            ]
          : [`${plugin}:copy`, `-Dartifact=${artifact}`];
      await run('mvn', ['-q', '-B', ...goal, `-DoutputDirectory=${folder}`], { cwd: folder, deadlineMs });
      await verify(folder, name);
      if (unpack !== true) return;
      for (const file of readdirSync(folder)) {
        await run('tar', ['-xzf', file], { cwd: folder, deadlineMs });
        rmSync(join(folder, file));
      }
    },
  });
