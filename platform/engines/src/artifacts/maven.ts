import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { IntegrityError } from '../errors.ts';
import { cached, cacheDir, type ObtainControl } from './cache.ts';
import { ensure, maven } from './debian.ts';
import { sha256Of } from './manifest.ts';
import { run } from './run.ts';

const lockFolder = join(import.meta.dirname, '..', '..', 'lock');
const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';
/** Java takes the home from the user's account, not from $HOME, where it may be one that cannot be written. */
const userHome = `-Duser.home=${homedir()}`;
const deadlineMs = 15 * 60_000;

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
  /** Makes of the single file, once it is checked, what the entry is to hold; the file itself goes. */
  readonly unpack?: (file: string, runHere: RunHere) => Promise<void>;
  /** Adds to the files, once all are checked, what is made of them. */
  readonly finish?: (folder: string, runHere: RunHere) => Promise<void>;
}

/** Runs a tool to its end in the folder that is to become the entry. */
export type RunHere = (command: string, args: readonly string[]) => Promise<string>;

/** Folder with the files of a source, each checked against `lock/<name>.sha256`. */
export const fromMaven = (
  { name, version, artifact, unpack, finish }: MavenSource,
  control: ObtainControl = {},
): Promise<string> =>
  cached({
    ...control,
    root: cacheDir(),
    name: `${name}-${version}`,
    build: async (folder, tools) => {
      await ensure([maven], control);
      const goal =
        artifact === undefined
          ? [
              `${plugin}:copy-dependencies`,
              '-f',
              join(lockFolder, `${name}.pom.xml`),
              '-DincludeScope=runtime',
            ]
          : [`${plugin}:copy`, `-Dartifact=${artifact}`];
      const runHere: RunHere = (command, args) => run(command, args, { ...tools, cwd: folder, deadlineMs });
      await runHere('mvn', ['-q', '-B', userHome, ...goal, `-DoutputDirectory=${folder}`]);
      await verify(folder, name);
      await finish?.(folder, runHere);
      if (unpack === undefined) return;
      for (const file of readdirSync(folder)) {
        await unpack(file, runHere);
        rmSync(join(folder, file));
      }
    },
  });
