import { describe, it } from 'vitest';
import { workQueueFeatures } from './feature-suite.ts';
import { rabbitHarness } from './rabbitmq-harness.ts';

const url = process.env.RABBITMQ_URL;

if (url === undefined) {
  describe('work queue on RabbitMQ', () => {
    it.skip('is proven where RABBITMQ_URL names a running broker', () => undefined);
  });
} else {
  workQueueFeatures(
    'RabbitMQ',
    rabbitHarness(() => url),
  );
}
