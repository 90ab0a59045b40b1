/** What was released: the folders of `contracts/released/`, each with a manifest of its files. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesUnder, readContracts, readJson, type Contracts } from './contract-files.ts';
import { isObject, type JsonSchemaObject } from './json-schema/accepts.ts';
import { CURRENT, type CheckResult, type Finding } from './report.ts';

export const MANIFEST = 'MANIFEST.json';

/** What a manifest says. */
export interface Manifest {
  readonly version: string;
  /** The release before, and the checksum of its manifest: no release can be altered alone. */
  readonly previous: { readonly version: string; readonly manifestSha256: string } | undefined;
  /** SHA-256 of every file of the release but the manifest, by path. */
  readonly files: Readonly<Record<string, string>>;
}

export interface Release {
  readonly version: string;
  readonly dir: string;
  readonly manifest: Manifest;
  readonly contracts: Contracts;
}

export const sha256Of = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex');

const SEMVER = /^(\d+)\.(\d+)\.(\d+)$/;

/** Ascending by number. @throws RangeError for a text that is no plain semantic version. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => {
    const match = SEMVER.exec(text);
    if (match === null) throw new RangeError(`${JSON.stringify(text)} is not a version like 1.0.0`);
    return match.slice(1).map(Number);
  });
  for (const [index, part] of (left ?? []).entries()) {
    const difference = part - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const parseManifest = (json: JsonSchemaObject, path: string): Manifest => {
  const { version, previous, files } = json;
  if (typeof version !== 'string' || !isObject(files)) throw new Error(`${path}: not a manifest`);
  const before = isObject(previous)
    ? { version: String(previous.version), manifestSha256: String(previous.manifestSha256) }
    : undefined;
  return {
    version,
    previous: before,
    files: Object.fromEntries(Object.entries(files).map(([file, sum]) => [file, String(sum)])),
  };
};

/** Every release, oldest first. @throws Error when a folder there is no release. */
export function readReleases(contractsDir: string): readonly Release[] {
  const root = join(contractsDir, 'released');
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .sort(compareVersions)
    .map((version) => {
      const dir = join(root, version);
      const path = join(dir, MANIFEST);
      return {
        version,
        dir,
        manifest: parseManifest(readJson(path), path),
        contracts: readContracts(dir, version),
      };
    });
}

const remedy =
  'Restore it (git checkout). What was released is what others run; a change is a new release: npm run contracts:release.';

/** No file of a release was edited, added or removed, and the releases name each other in order. */
export function checkManifests(releases: readonly Release[]): CheckResult {
  const findings: Finding[] = [];
  let compared = 0;
  for (const [index, { version, dir, manifest }] of releases.entries()) {
    const say = (rule: string, file: string, broke: string): void => {
      findings.push({
        contract: `release ${version}`,
        rule: `released/${rule}`,
        versions: { released: version, current: CURRENT },
        broke: `contracts/released/${version}/${file} ${broke}`,
        remedy,
      });
    };
    const present = filesUnder(dir, '.').filter((file) => file !== MANIFEST);
    for (const file of present)
      if (manifest.files[file] === undefined) say('file-added', file, 'is not in the manifest');
    for (const [file, sum] of Object.entries(manifest.files)) {
      compared++;
      if (!present.includes(file)) say('file-removed', file, 'is gone');
      else if (sha256Of(join(dir, file)) !== sum) say('file-edited', file, 'was edited after its release');
    }
    const before = releases[index - 1];
    const expected = before && {
      version: before.version,
      manifestSha256: sha256Of(join(before.dir, MANIFEST)),
    };
    if (JSON.stringify(manifest.previous) !== JSON.stringify(expected))
      say('chain', MANIFEST, `does not name ${before?.version ?? 'no release'} as it is now`);
    if (manifest.version !== version) say('chain', MANIFEST, `says that it is ${manifest.version}`);
  }
  return { check: 'released files', compared, findings };
}
