/** Everything that `npm run contracts:check` looks at, as one report. */
import { join } from 'node:path';
import { eventTypes, readEventSchemas } from '@parley/contracts/event-types';
import { checkAvro } from './checks/avro.ts';
import { checkCapsules } from './checks/capsules.ts';
import { checkGraphql } from './checks/graphql.ts';
import { checkOpenApi } from './checks/openapi.ts';
import { checkProducers } from './checks/producers.ts';
import { checkProto, protoTypes } from './checks/proto.ts';
import { checkQueues } from './checks/queues.ts';
import { checkRegistry } from './checks/registry.ts';
import { checkWiring } from './checks/wiring.ts';
import { readContracts } from './contract-files.ts';
import { checkDocuments, generateDocuments } from './documents/index.ts';
import { readWiring } from './documents/wiring.ts';
import { checkHistory } from './history.ts';
import { checkManifests, readReleases } from './released.ts';
import { CURRENT, reportOf, type Report } from './report.ts';

export interface CheckOptions {
  /** The clone's root folder. */
  readonly repositoryDir: string;
  /** Base URL of a running registry to compare with, too. */
  readonly registryUrl?: string | undefined;
}

/**
 * Compares the contracts of the working tree with every release. Needs no network unless a registry is named.
 * @throws Error when a contract cannot be read at all.
 */
export async function checkContracts({ repositoryDir, registryUrl }: CheckOptions): Promise<Report> {
  const startedAtMs = performance.now();
  const contractsDir = join(repositoryDir, 'contracts');
  const releases = readReleases(contractsDir);
  const current = readContracts(contractsDir, CURRENT);
  const released = releases.map(({ contracts }) => contracts);
  const generatedTypes = {
    path: 'src/generated/events.ts',
    text: eventTypes(readEventSchemas(join(contractsDir, 'avro'))),
  };
  const registry = registryUrl === undefined ? [] : [await checkRegistry(registryUrl, current, released)];
  // buf works in processes of its own: started first, awaited last.
  const proto = checkProto(current, released);
  const protoFiles = protoTypes(contractsDir);
  const history = checkHistory(repositoryDir);
  const checks = [
    checkAvro(current, released),
    checkGraphql(current, released),
    checkOpenApi(current, released),
    checkQueues(current, released),
    checkManifests(releases),
    await checkCapsules(releases),
    await checkProducers(releases),
    await checkWiring(readWiring(repositoryDir), releases),
    await proto,
    await history,
    checkDocuments(contractsDir, [
      generatedTypes,
      ...(await protoFiles),
      ...generateDocuments(repositoryDir, releases),
    ]),
    ...registry,
  ];
  return reportOf(
    releases.map(({ version }) => version),
    checks,
    performance.now() - startedAtMs,
  );
}
