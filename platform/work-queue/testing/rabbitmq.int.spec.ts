import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import { afterAll, beforeAll } from 'vitest';
import { workQueueFeatures } from './feature-suite.ts';
import { rabbitHarness } from './rabbitmq-harness.ts';

let engines: TestEngines;
beforeAll(async () => {
  engines = await startTestEngines({ only: ['rabbitmq'] });
});
afterAll(async () => {
  await engines.stop();
});

workQueueFeatures(
  'RabbitMQ',
  rabbitHarness(() => engines.amqpUrl),
);
