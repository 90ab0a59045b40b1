import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Name of the manifest in the folder that it describes. */
const manifestName = '.parley-manifest.json';

/** SHA-256 of a file, in hex. */
export const sha256Of = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
};

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== manifestName)
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));

/** Writes down size and SHA-256 of every file of a folder, to tell later whether it still is what it was. */
export const writeManifest = async (folder: string): Promise<void> => {
  const lines: string[] = [];
  for (const file of filesIn(folder)) {
    const path = join(folder, file);
    lines.push(JSON.stringify([file, statSync(path).size, await sha256Of(path)]));
  }
  writeFileSync(join(folder, manifestName), `[\n${lines.join(',\n')}\n]\n`);
};

const isEntry = (entry: unknown): entry is [string, number, string] =>
  Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1] === 'number';

/** How thoroughly a folder is compared with its manifest: `sizes` costs milliseconds, `contents` reads everything. */
export type Depth = 'sizes' | 'contents';

/** What of a folder is not as its manifest says, as a few words, or undefined when all is. A folder without one is not whole. */
export const damageIn = async (folder: string, depth: Depth): Promise<string | undefined> => {
  let manifest: unknown;
  try {
    manifest = JSON.parse(readFileSync(join(folder, manifestName), 'utf8'));
  } catch {
    return 'its manifest is missing';
  }
  if (!Array.isArray(manifest) || !manifest.every(isEntry)) return 'its manifest is damaged';
  for (const [file, size, sha256] of manifest) {
    const path = join(folder, file);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return `${file} is missing`;
    if (stat.size !== size) return `${file} has ${stat.size} bytes instead of ${size}`;
    if (depth === 'contents' && (await sha256Of(path)) !== sha256) return `${file} has another checksum`;
  }
  return undefined;
};
