/**
 * Names the code that made a state: the same from start to start, another one when a fold could have changed.
 *
 * Covered are the sources of the given modules and of everything of this repository that they import, however far; of
 * packages from a registry, their names and versions; and the facts handed in. Not covered: what is imported under a
 * name computed at run time, and the version of Node.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { canonical } from '../log/canonical.ts';

/** Modules that one fold may reach; a longer walk has left the folds. */
const MODULES_MAX = 2000;

/** What a module imports when it runs; imports of types are erased. Too many matches do no harm. */
const IMPORTS = [
  /^\s*(?:import|export)\b(?!\s+type\b)[^'";]*?\bfrom\s*['"]([^'"]+)['"]/gm,
  /^\s*import\s*['"]([^'"]+)['"]/gm,
  /\bimport\s*\(\s*['"]([^'"]+)['"]/g,
];

/**
 * @param modules URLs of modules (`import.meta.url`).
 * @param facts what else decides the content; compared as canonical JSON.
 * @throws Error when a module cannot be read or an import cannot be found.
 */
export function codeHash(modules: readonly string[], facts: unknown): string {
  const parts = new Set<string>();
  const seen = new Set<string>();
  const waiting = modules.map((url) => realpathSync(fileURLToPath(url)));
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    if (seen.size > MODULES_MAX) throw new Error(`a fold imports more than ${MODULES_MAX} modules`);
    const source = readFileSync(path, 'utf8');
    parts.add(createHash('sha256').update(source).digest('hex'));
    if (path.endsWith('.json')) continue;
    for (const specifier of importsOf(source)) {
      const found = resolve(specifier, path);
      if (found === undefined) continue;
      if ('module' in found) waiting.push(found.module);
      else parts.add(found.package);
    }
  }
  const hash = createHash('sha256').update(canonical(facts));
  for (const part of [...parts].sort()) hash.update(`\n${part}`);
  return hash.digest('hex');
}

function importsOf(source: string): string[] {
  return IMPORTS.flatMap((pattern) =>
    [...source.matchAll(pattern)].flatMap(([, specifier]) => specifier ?? []),
  );
}

function resolve(
  specifier: string,
  importer: string,
): { readonly module: string } | { readonly package: string } | undefined {
  if (isBuiltin(specifier)) return undefined;
  if (specifier.startsWith('.'))
    return { module: realpathSync(fileURLToPath(new URL(specifier, pathToFileURL(importer)))) };
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  const require = createRequire(importer);
  for (const folder of require.resolve.paths(specifier) ?? []) {
    const manifest = join(folder, name, 'package.json');
    if (!existsSync(manifest)) continue;
    // A package of this repository is linked into node_modules and really lies elsewhere.
    if (!realpathSync(manifest).includes(`${sep}node_modules${sep}`))
      return { module: realpathSync(require.resolve(specifier)) };
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string };
    return { package: `${name}@${version}` };
  }
  throw new Error(`${importer} imports ${specifier}, which cannot be found`);
}
