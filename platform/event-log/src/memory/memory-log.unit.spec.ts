import { eventLogFeatureSuite } from '../../testing/feature-suite.ts';
import { MemoryLink } from './link.ts';
import { createMemoryBroker, openMemoryLog } from './open.ts';

eventLogFeatureSuite('the event log in memory', () => {
  const broker = createMemoryBroker();
  return Promise.resolve({
    open: (options) => {
      const link = new MemoryLink();
      return { log: openMemoryLog({ broker, link, ...options }), link };
    },
    appendRaw: (topic, partition, record) => Promise.resolve(broker.appendRaw(topic, partition, record)),
    truncate: (topic, partition, length) => {
      broker.truncate(topic, partition, length);
      return Promise.resolve();
    },
    registerSchema: (subject, schema) => broker.schemas.register(subject, schema),
    stop: () => Promise.resolve(),
  });
});
