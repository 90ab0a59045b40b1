/** Every generated document of `contracts/`: its path there and what it must contain. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as queues from '@parley/contracts/queues';
import { z } from 'zod';
import type { Release } from '../released.ts';
import { CURRENT, type CheckResult, type Finding } from '../report.ts';
import { asyncApiDocument } from './asyncapi.ts';
import { catalogPage } from './catalog.ts';
import { errorsPage } from './errors.ts';
import { graphqlDocument } from './graphql.ts';
import { jsonSchemaOf } from './json-schema.ts';
import { openApiDocument } from './openapi.ts';
import { readWiring } from './wiring.ts';

export interface GeneratedDocument {
  /** Relative to `contracts/`. */
  readonly path: string;
  readonly text: string;
}

const pretty = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** The version that the working tree is going to be: a minor step after the latest release. */
export function nextVersion(releases: readonly Pick<Release, 'version'>[]): string {
  const [major, minor] = (releases.at(-1)?.version ?? '').split('.').map(Number);
  return major === undefined || minor === undefined ? '1.0.0' : `${major}.${minor + 1}.0`;
}

const queueSchemas = (): readonly GeneratedDocument[] =>
  Object.entries<unknown>(queues).flatMap(([name, schema]) =>
    schema instanceof z.ZodObject
      ? [
          {
            path: `queues/${name}.json`,
            text: pretty({
              $schema: 'https://json-schema.org/draft/2020-12/schema',
              ...jsonSchemaOf(schema),
            }),
          },
        ]
      : [],
  );

/** Generates them all. Deterministic: the same sources give the same bytes. */
export function generateDocuments(
  repositoryDir: string,
  releases: readonly Release[],
): readonly GeneratedDocument[] {
  const wiring = readWiring(repositoryDir);
  const version = nextVersion(releases);
  const released = (type: string) =>
    releases.map(({ version: release, contracts }) => ({
      release,
      schema: [...contracts.events.values()].find(({ name }) => name === type),
    }));
  return [
    { path: 'openapi.json', text: pretty(openApiDocument(version)) },
    { path: 'asyncapi.json', text: pretty(asyncApiDocument(version, wiring)) },
    { path: 'schema.graphql', text: graphqlDocument() },
    { path: 'CATALOG.md', text: catalogPage(wiring, released) },
    { path: 'ERRORS.md', text: errorsPage() },
    ...queueSchemas(),
  ];
}

const readIfThere = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // missing is the widest difference there is
  }
};

/** The first line in which two texts differ, for a message. */
function firstDifference(expected: string, found: string): string {
  const left = found.split('\n');
  const line = expected.split('\n').findIndex((text, index) => text !== left[index]);
  return line === -1 ? `line ${left.length}` : `line ${line + 1}: ${(left[line] ?? 'nothing').trim()}`;
}

/** Drift: a generated document on disk that is not what its sources say. */
export function checkDocuments(contractsDir: string, documents: readonly GeneratedDocument[]): CheckResult {
  const findings = documents.flatMap(({ path, text }): Finding[] => {
    const found = readIfThere(join(contractsDir, path));
    if (found === text) return [];
    const broke =
      found === undefined
        ? `contracts/${path} is missing`
        : `contracts/${path} differs from its sources at ${firstDifference(text, found)}`;
    return [
      {
        contract: `document ${path}`,
        rule: 'document/drift',
        versions: { released: 'sources', current: CURRENT },
        broke,
        remedy: 'npm run generate, and commit what it writes.',
      },
    ];
  });
  return { check: 'generated documents', compared: documents.length, findings };
}
