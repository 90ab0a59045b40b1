export { InMemoryBroker } from './in-memory.ts';
