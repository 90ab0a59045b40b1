import { eventLogFeatureSuite } from '../../testing/feature-suite.ts';
import { createMemoryBroker, openMemoryLog } from './open.ts';

eventLogFeatureSuite('the event log in memory', () => {
  const broker = createMemoryBroker();
  return Promise.resolve({ open: () => openMemoryLog({ broker }), stop: () => Promise.resolve() });
});
