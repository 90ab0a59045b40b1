import { MemoryLink } from '../src/memory/link.ts';
import { createMemoryBroker, openMemoryLog } from '../src/memory/open.ts';
import type { Harness } from './harness.ts';

/** Logs that share a broker in memory. */
export function memoryHarness(): Promise<Harness> {
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
    registry: broker.registry,
    takeGroup: (group) => {
      const release = broker.takeGroup(group);
      return Promise.resolve(() => {
        release();
        return Promise.resolve();
      });
    },
    registerSchema: (subject, schema) => broker.schemas.register(subject, schema),
    stop: () => Promise.resolve(),
  });
}
