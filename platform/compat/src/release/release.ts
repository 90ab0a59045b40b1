/** Freezes the contracts of the working tree as a release. */
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { filesUnder, frozenPaths } from '../contract-files.ts';
import { generateDocuments } from '../documents/index.ts';
import {
  compareVersions,
  MANIFEST,
  readReleases,
  sha256Of,
  type Manifest,
  type Release,
} from '../released.ts';

/** The version cannot be released. */
export class ReleaseRefused extends Error {
  override readonly name = 'ReleaseRefused';
}

/** @throws ReleaseRefused when it is no version or not above the latest release. */
export function checkVersion(version: string, releases: readonly Pick<Release, 'version'>[]): void {
  const latest = releases.at(-1)?.version ?? '0.0.0';
  try {
    if (compareVersions(version, latest) > 0) return;
  } catch (error) {
    throw new ReleaseRefused(error instanceof Error ? error.message : String(error), { cause: error });
  }
  throw new ReleaseRefused(`${version} is not above ${latest}, which is released`);
}

/** Writes the generated documents to their places. */
export function writeDocuments(repositoryDir: string): readonly string[] {
  const contractsDir = join(repositoryDir, 'contracts');
  const documents = generateDocuments(repositoryDir, readReleases(contractsDir));
  for (const { path, text } of documents) {
    mkdirSync(dirname(join(contractsDir, path)), { recursive: true });
    writeFileSync(join(contractsDir, path), text);
  }
  return documents.map(({ path }) => `contracts/${path}`);
}

function writeManifest(dir: string, version: string, before: Release | undefined): void {
  const manifest: Manifest = {
    version,
    previous:
      before === undefined
        ? undefined
        : { version: before.version, manifestSha256: sha256Of(join(before.dir, MANIFEST)) },
    files: Object.fromEntries(filesUnder(dir, '.').map((file) => [file, sha256Of(join(dir, file))])),
  };
  writeFileSync(join(dir, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

/**
 * Copies every contract to `contracts/released/<version>/`, has `recordCapsule` add the capsule there, and writes the
 * manifest. The folder appears under its name when it is whole; nothing stays of a release that failed. Afterwards the
 * generated documents of the working tree name the next version.
 * @throws ReleaseRefused for a version that cannot be.
 */
export async function release(
  version: string,
  options: {
    readonly repositoryDir: string;
    readonly recordCapsule: (releaseDir: string) => Promise<unknown>;
  },
): Promise<string> {
  const contractsDir = join(options.repositoryDir, 'contracts');
  const releases = readReleases(contractsDir);
  checkVersion(version, releases);
  const dir = join(contractsDir, 'released', version);
  // Beside `released/`, where a half-made one is not taken for a release.
  const draft = join(contractsDir, `.release-${version}`);
  rmSync(draft, { recursive: true, force: true });
  try {
    for (const path of frozenPaths) {
      if (!existsSync(join(contractsDir, path))) throw new ReleaseRefused(`contracts/${path} is missing`);
      cpSync(join(contractsDir, path), join(draft, path), { recursive: true });
    }
    await options.recordCapsule(draft);
    writeManifest(draft, version, releases.at(-1));
    mkdirSync(dirname(dir), { recursive: true });
    renameSync(draft, dir);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
  writeDocuments(options.repositoryDir);
  return dir;
}
