/** A copy of the repository's contracts in a temporary folder, to plant breaks in. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const repositoryDir = resolve(import.meta.dirname, '../../..');

export interface Planted {
  readonly dir: string;
  readonly contractsDir: string;
  /** Replaces text of a file under `contracts/`. @throws Error when the text is not there. */
  readonly replace: (path: string, from: string, to: string) => void;
  readonly write: (path: string, text: string) => void;
  readonly remove: (path: string) => void;
  [Symbol.dispose](): void;
}

/** Everything below is a copy; the services and read models are the repository's own. */
export function plant(): Planted {
  const dir = mkdtempSync(join(tmpdir(), 'parley-planted-'));
  const contractsDir = join(dir, 'contracts');
  const skip = /\/node_modules(\/|$)/;
  cpSync(join(repositoryDir, 'contracts'), contractsDir, {
    recursive: true,
    filter: (source) => !skip.test(source),
  });
  for (const room of ['domains', 'projections', 'node_modules'])
    symlinkSync(join(repositoryDir, room), join(dir, room));
  return {
    dir,
    contractsDir,
    replace: (path, from, to) => {
      const file = join(contractsDir, path);
      const text = readFileSync(file, 'utf8');
      if (!text.includes(from)) throw new Error(`${path} does not contain ${from}`);
      writeFileSync(file, text.replace(from, to));
    },
    write: (path, text) => {
      writeFileSync(join(contractsDir, path), text);
    },
    remove: (path) => {
      rmSync(join(contractsDir, path), { recursive: true });
    },
    [Symbol.dispose]: () => {
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
