import { existsSync, readFileSync, realpathSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const Manifest = z.object({ name: z.string(), dependencies: z.record(z.string(), z.string()).default({}) });
const debounceMs = 200;

/** The `src` folders whose code a workspace package runs: its own and those of its workspace dependencies, followed. */
export const sourceFolders = (packageDir: string, rootDir: string): string[] => {
  const seen = new Set<string>();
  const visit = (folder: string): void => {
    if (seen.has(folder)) return;
    seen.add(folder);
    const manifest = Manifest.parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
    for (const name of Object.keys(manifest.dependencies).filter((d) => d.startsWith('@parley/'))) {
      const link = join(rootDir, 'node_modules', name);
      if (existsSync(link)) visit(realpathSync(link));
    }
  };
  visit(packageDir);
  return [...seen].map((folder) => join(folder, 'src')).filter((folder) => existsSync(folder));
};

const isSource = (file: string): boolean =>
  /\.(ts|json|graphql|html|js|css)$/.test(file) && !file.endsWith('.spec.ts');

/** Calls `changed` with one of the changed files, once for a burst of changes. The returned function ends the watch. */
export const watchSources = (folders: readonly string[], changed: (file: string) => void): (() => void) => {
  let timer: NodeJS.Timeout | undefined;
  const watchers = folders.map(
    (folder) =>
      watch(folder, { recursive: true }, (_event, file) => {
        if (file === null || !isSource(file)) return;
        clearTimeout(timer);
        timer = setTimeout(() => {
          changed(join(dirname(folder), 'src', file));
        }, debounceMs);
      }).on('error', () => undefined), // a folder that vanishes under the watch is no reason to stop a service
  );
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
};
