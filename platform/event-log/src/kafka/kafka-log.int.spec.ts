import { deliverySuite } from '@parley/delivery/testing';
import { startTestEngines } from '@parley/engines/testing';
import { afterAll, beforeAll } from 'vitest';
import { deliveryHarness } from '../../testing/delivery-harness.ts';
import { eventLogFeatureSuite } from '../../testing/feature-suite.ts';
import { kafkaHarness } from '../../testing/kafka-harness.ts';
import { snapshotSuite } from '../../testing/snapshot-suite.ts';

let engines: Awaited<ReturnType<typeof startTestEngines>>;
beforeAll(async () => {
  engines = await startTestEngines({ only: ['kafka', 'registry'] });
});
afterAll(async () => {
  await engines.stop();
});

eventLogFeatureSuite('the event log on Kafka', () => kafkaHarness(engines));
deliverySuite(
  'the event log on Kafka',
  deliveryHarness(() => kafkaHarness(engines)),
);
snapshotSuite('a log on Kafka that starts from a snapshot', () => kafkaHarness(engines), 1);
