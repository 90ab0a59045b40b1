import { startTestEngines } from '@parley/engines/testing';
import { pino } from 'pino';
import { afterAll, beforeAll } from 'vitest';
import { eventLogFeatureSuite } from '../../testing/feature-suite.ts';
import { openKafkaLog } from './open.ts';

let engines: Awaited<ReturnType<typeof startTestEngines>>;
beforeAll(async () => {
  engines = await startTestEngines({ only: ['kafka', 'registry'] });
});
afterAll(async () => {
  await engines.stop();
});

eventLogFeatureSuite('the event log on Kafka', () =>
  Promise.resolve({
    open: () =>
      openKafkaLog({
        service: 'suite',
        clientId: 'suite',
        bootstrap: engines.bootstrap,
        registryUrl: engines.registryUrl,
        logger: pino({ level: 'silent' }),
      }),
    stop: () => Promise.resolve(),
  }),
);
