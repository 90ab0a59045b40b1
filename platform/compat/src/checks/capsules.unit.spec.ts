import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { orders, type OrderRow } from '@parley/projection-orders';
import { describe, expect, it } from 'vitest';
import { plant, repositoryDir } from '../../testing/planted.ts';
import { capsulePaths, replayCapsule, streamsOf } from '../capsule.ts';
import { everyProjection, type AnyProjection } from '../projections.ts';
import { readReleases, type Release } from '../released.ts';
import { readWiring } from '../documents/wiring.ts';
import { checkCapsules } from './capsules.ts';
import { checkProducers, produce } from './producers.ts';
import { checkWiring } from './wiring.ts';

const releases = readReleases(join(repositoryDir, 'contracts'));
const firstRelease = (): Release => {
  const [first] = releases;
  if (first === undefined) throw new Error('there is no release');
  return first;
};

/** Today's read models with a change in the rows of orders. */
const withOrderRows = (change: (row: OrderRow) => object): readonly AnyProjection[] =>
  everyProjection.map((projection) =>
    projection.name === 'orders'
      ? ({
          ...orders,
          fold: (row: OrderRow | undefined, event: Parameters<typeof orders.fold>[1]) => {
            const folded = orders.fold(row, event);
            return folded === undefined ? undefined : change(folded);
          },
        } as unknown as AnyProjection)
      : projection,
  );

describe('a time capsule', () => {
  it('has every event type, records that were judged, and the messages of the queue', async () => {
    const state = await replayCapsule(join(firstRelease().dir, capsulePaths.log));
    expect(state.orders?.counts.conflicts).toBe(1);
    const streams = await streamsOf(join(firstRelease().dir, capsulePaths.log));
    const types = new Set(streams.flatMap(({ events }) => events.map(({ type }) => type)));
    expect([...firstRelease().contracts.events.values()].map(({ name }) => name).sort()).toEqual(
      [...types].sort(),
    );
  });

  it('comes to the recorded state in every read model', async () => {
    expect((await checkCapsules(releases)).findings).toEqual([]);
  });

  it('lets a read model gain a field', async () => {
    const grown = withOrderRows((row) => ({ ...row, more: 1 }));
    expect((await checkCapsules([firstRelease()], grown)).findings).toEqual([]);
  });

  it.each<[string, (row: OrderRow) => object, RegExp]>([
    [
      'loses a field',
      (row) => ({ ...row, createdAtMs: undefined }),
      /^orders\[.*\]\.createdAtMs was \d+, is absent$/,
    ],
    [
      'changes a value',
      (row) => ({ ...row, status: 'PAID' }),
      /^orders\[.*\]\.status was "SHIPPED", is "PAID"$/,
    ],
  ])('tells of a read model that %s', async (_what, change, named) => {
    const { findings } = await checkCapsules([firstRelease()], withOrderRows(change));
    expect(findings[0]).toMatchObject({ contract: 'projection orders', rule: 'capsule/state' });
    expect(findings[0]?.broke).toMatch(named);
  });

  it('tells of a read model that is gone', async () => {
    const { findings } = await checkCapsules([firstRelease()], everyProjection.slice(1));
    expect(findings).toMatchObject([{ rule: 'capsule/projection-removed', broke: 'orders is gone' }]);
  });

  it('tells of a queue message that today’s consumer refuses', async () => {
    using planted = plant();
    const path = join(planted.contractsDir, 'released/1.0.0', capsulePaths.messages);
    const messages = JSON.parse(readFileSync(path, 'utf8')) as { bodyBase64: string }[];
    const body = JSON.stringify({ requestId: 'x' });
    writeFileSync(
      path,
      JSON.stringify([{ ...messages[0], bodyBase64: Buffer.from(body).toString('base64') }]),
    );
    const { findings } = await checkCapsules(readReleases(planted.contractsDir).slice(0, 1));
    expect(findings.map(({ rule }) => rule)).toContain('capsule/message');
    expect(findings.map(({ broke }) => broke).join('\n')).toContain('ShippingRequested.orderId');
  });

  it('tells of a release without one', async () => {
    using planted = plant();
    planted.remove('released/1.0.0/capsule/state.json');
    const { findings } = await checkCapsules(readReleases(planted.contractsDir).slice(0, 1));
    expect(findings).toMatchObject([{ rule: 'capsule/missing' }]);
  });
});

describe('what is written today', () => {
  it('is read by every release', async () => {
    const { compared, findings } = await checkProducers(releases);
    expect(findings).toEqual([]);
    expect(compared).toBeGreaterThan(100);
  });

  it('is what the log holds after the write path of a service', async () => {
    const [stream] = await streamsOf(join(firstRelease().dir, capsulePaths.log));
    if (stream === undefined) throw new Error('an empty capsule');
    const records = await produce([stream]);
    expect(records.map(({ event }) => event)).toEqual(stream.events);
    expect(records[0]?.headers).toContain('parley-commit');
  });

  it('breaks a release whose consumers would read another value', async () => {
    using planted = plant();
    // A consumer that falls back to a default reads another value than the one that was sent.
    planted.replace(
      'released/1.0.0/avro/order/OrderCancelled.avsc',
      '"symbols": ["PRODUCT_UNKNOWN", "STOCK_SHORT", "PAYMENT_DECLINED"]',
      '"symbols": ["PRODUCT_UNKNOWN", "STOCK_SHORT"], "default": "STOCK_SHORT"',
    );
    const { findings } = await checkProducers(readReleases(planted.contractsDir).slice(0, 1));
    expect(findings.map(({ broke }) => broke).join('\n')).toContain(
      'OrderCancelled.reason was written as "PAYMENT_DECLINED" and read as "STOCK_SHORT"',
    );
  });
});

describe('the producers that the source names', () => {
  const wiring = readWiring(repositoryDir);

  it('are those that a recorded run shows', async () => {
    const { compared, findings } = await checkWiring(wiring, releases);
    expect(findings).toEqual([]);
    expect(compared).toBe(firstRelease().contracts.events.size);
  });

  it('are told when a run shows another', async () => {
    const moved = wiring.map((service) => ({
      ...service,
      produces:
        service.service === 'order'
          ? service.produces.filter((type) => type !== 'OrderPaid')
          : service.produces,
    }));
    const { findings } = await checkWiring(moved, releases);
    expect(findings).toMatchObject([{ contract: 'event OrderPaid', rule: 'wiring/producer' }]);
  });
});
