import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventTypes, readEventSchemas } from '@parley/contracts/event-types';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { plant, type Planted } from '../testing/planted.ts';
import { checkAvro } from './checks/avro.ts';
import { checkGraphql } from './checks/graphql.ts';
import { checkOpenApi } from './checks/openapi.ts';
import { checkProto } from './checks/proto.ts';
import { checkQueues } from './checks/queues.ts';
import { readContracts, type Contracts } from './contract-files.ts';
import { checkDocuments, generateDocuments } from './documents/index.ts';
import { checkHistory } from './history.ts';
import { checkManifests, readReleases } from './released.ts';
import type { CheckResult } from './report.ts';

/** The check starts processes of buf and git; the machine may be busy. */
const DEADLINE_MS = 60_000;

afterEach(() => {
  vi.unstubAllEnvs();
});

interface Sides {
  readonly current: Contracts;
  readonly released: readonly Contracts[];
}
const sidesOf = ({ contractsDir }: Planted): Sides => ({
  current: readContracts(contractsDir, 'working tree'),
  released: readReleases(contractsDir).map(({ contracts }) => contracts),
});

describe('one planted break of each kind', () => {
  it.each<
    [string, (planted: Planted) => void, (sides: Sides) => CheckResult | Promise<CheckResult>, string, string]
  >([
    [
      'an Avro field by another name',
      ({ replace }) => {
        replace('avro/order/OrderPaid.avsc', '"name": "paymentId"', '"name": "payment"');
      },
      ({ current, released }) => checkAvro(current, released),
      'avro/backward',
      'parley.order.OrderPaid.payment has no default',
    ],
    [
      'a field of a proto message with another number',
      ({ replace }) => {
        replace('proto/parley/order/v1/order.proto', 'int32 quantity = 4;', 'int32 quantity = 14;');
      },
      ({ current, released }) => checkProto(current, released.slice(0, 1)),
      'proto/breaking/field-no-delete',
      'quantity',
    ],
    [
      'a proto field against the naming rules',
      ({ replace }) => {
        replace('proto/parley/order/v1/order.proto', 'string customer_id', 'string customerId');
      },
      ({ current }) => checkProto(current, []),
      'proto/lint/field-lower-snake-case',
      'customerId',
    ],
    [
      'a GraphQL field less',
      ({ replace }) => {
        replace('schema.graphql', '  category: String!\n', '');
      },
      ({ current, released }) => checkGraphql(current, released),
      'graphql/field-removed',
      'Product.category',
    ],
    [
      'a property less in a REST response',
      ({ replace }) => {
        replace('openapi.json', '"nextAfter"', '"next"');
      },
      ({ current, released }) => checkOpenApi(current, released),
      'openapi/response/property-removed',
      'GET /api/v1/orders: 200: nextAfter',
    ],
    [
      'a queue message that lost a property',
      ({ replace }) => {
        replace('queues/ShippingRequested.json', '"notificationId"', '"notification"');
      },
      ({ current, released }) => checkQueues(current, released),
      'queue/property-removed',
      'ShippingRequested.notificationId',
    ],
  ])('%s is found and named', { timeout: DEADLINE_MS }, async (_what, change, check, rule, named) => {
    using planted = plant();
    expect((await check(sidesOf(planted))).findings).toEqual([]);
    change(planted);
    const { findings } = await check(sidesOf(planted));
    const found = findings.filter((finding) => finding.rule === rule);
    expect(found.map(({ broke }) => broke).join('\n')).toContain(named);
    for (const { remedy } of found) expect(remedy).toBeTruthy();
  });

  it('an edited document or generated file is found and named', () => {
    using planted = plant();
    planted.replace('CATALOG.md', '| order |', '| payment |');
    const documents = generateDocuments(planted.dir, readReleases(planted.contractsDir));
    expect(checkDocuments(planted.contractsDir, documents).findings).toMatchObject([
      { rule: 'document/drift', contract: 'document CATALOG.md' },
    ]);
    planted.replace('src/generated/events.ts', 'readonly quantity: number', 'readonly quantity: string');
    const text = eventTypes(readEventSchemas(join(planted.contractsDir, 'avro')));
    const types = [{ path: 'src/generated/events.ts', text }];
    expect(checkDocuments(planted.contractsDir, types).findings).toMatchObject([{ rule: 'document/drift' }]);
  });
});

const gitIn =
  ({ dir }: Planted) =>
  (...args: readonly string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
      cwd: dir,
      encoding: 'utf8',
    });

describe('a released file', () => {
  const rulesAfter = (change: (planted: Planted) => void): readonly string[] => {
    using planted = plant();
    change(planted);
    return checkManifests(readReleases(planted.contractsDir)).findings.map(
      ({ rule, broke }) => `${rule} ${broke}`,
    );
  };

  it.each<[string, (planted: Planted) => void, string]>([
    [
      'edited',
      ({ replace }) => {
        replace('released/1.0.0/avro/order/OrderPaid.avsc', 'confirmed the payment', 'saw the payment');
      },
      'released/file-edited contracts/released/1.0.0/avro/order/OrderPaid.avsc',
    ],
    [
      'removed',
      ({ remove }) => {
        remove('released/1.0.0/queues/ShippingRequested.json');
      },
      'released/file-removed contracts/released/1.0.0/queues/ShippingRequested.json',
    ],
    [
      'added',
      ({ write }) => {
        write('released/1.0.0/avro/order/OrderLost.avsc', '{"type":"record","name":"OrderLost","fields":[]}');
      },
      'released/file-added contracts/released/1.0.0/avro/order/OrderLost.avsc',
    ],
  ])('that was %s is found', (_what, change, named) => {
    expect(rulesAfter(change)).toEqual([expect.stringContaining(named)]);
  });

  it(
    'and its manifest cannot be edited together without a trace in git',
    { timeout: DEADLINE_MS },
    async () => {
      using planted = plant();
      const git = gitIn(planted);
      git('init', '--quiet');
      git('add', 'contracts');
      git('commit', '--quiet', '--message', 'released');
      expect((await checkHistory(planted.dir)).findings).toEqual([]);
      planted.replace('released/1.0.0/schema.graphql', 'stock: Int!', 'stock: Int');
      planted.replace('released/1.0.0/MANIFEST.json', '"version": "1.0.0"', '"version":  "1.0.0"');
      const uncommitted = (await checkHistory(planted.dir)).findings;
      expect(uncommitted.map(({ broke }) => broke).sort()).toEqual([
        'contracts/released/1.0.0/MANIFEST.json was edited after its release (uncommitted)',
        'contracts/released/1.0.0/schema.graphql was edited after its release (uncommitted)',
      ]);
      git('commit', '--quiet', '--all', '--message', 'quietly');
      const committed = (await checkHistory(planted.dir)).findings;
      expect(committed).toHaveLength(2);
      for (const { rule, broke } of committed) {
        expect(rule).toBe('released/history');
        expect(broke).toMatch(/\([0-9a-f]{7,}\)$/);
      }
    },
  );

  it('and its manifest cannot be edited in a merge either', { timeout: DEADLINE_MS }, async () => {
    using planted = plant();
    const git = gitIn(planted);
    git('init', '--quiet', '--initial-branch', 'main');
    git('add', 'contracts');
    git('commit', '--quiet', '--message', 'released');
    git('switch', '--quiet', '--create', 'side');
    planted.write('note.txt', 'side\n');
    git('add', 'contracts');
    git('commit', '--quiet', '--message', 'side');
    git('switch', '--quiet', 'main');
    git('merge', '--quiet', '--no-ff', '--no-commit', 'side');
    expect((await checkHistory(planted.dir)).findings).toEqual([]);
    planted.replace('released/1.0.0/schema.graphql', 'stock: Int!', 'stock: Int');
    git('add', 'contracts');
    git('commit', '--quiet', '--message', 'merged');
    const { findings } = await checkHistory(planted.dir);
    expect(new Set(findings.map(({ broke }) => broke.replace(/ \(.*/, '')))).toEqual(
      new Set(['contracts/released/1.0.0/schema.graphql was edited after its release']),
    );
  });

  it('is not compared with git where there is no repository', async () => {
    using planted = plant();
    expect(await checkHistory(planted.dir)).toMatchObject({ compared: 0, findings: [] });
  });

  it.each<[string, (planted: Planted) => void]>([
    [
      'a repository that git cannot open',
      ({ dir }) => {
        writeFileSync(join(dir, '.git'), 'gitdir: nowhere\n');
      },
    ],
    [
      'a repository without a commit',
      ({ dir }) => {
        execFileSync('git', ['init', '--quiet'], { cwd: dir });
      },
    ],
    [
      'a machine without git',
      ({ dir }) => {
        execFileSync('git', ['init', '--quiet'], { cwd: dir });
        vi.stubEnv('PATH', dir);
      },
    ],
  ])('whose history git does not tell fails the check, with the reason: %s', async (_what, change) => {
    using planted = plant();
    change(planted);
    // In git's own words, which depend on its version and on the language of whoever runs this.
    const { error, stderr } = spawnSync('git', ['log'], { cwd: planted.dir, encoding: 'utf8' });
    const reason = error === undefined ? stderr.trim() : 'ENOENT';
    expect(reason).toBeTruthy();
    const { compared, findings } = await checkHistory(planted.dir);
    expect(compared).toBe(0);
    expect(findings).toMatchObject([{ rule: 'released/history-unread' }]);
    expect(findings[0]?.broke).toContain(reason);
  });
});
