export { eventLogOf, parleyService, type ParleyConfig } from './event-log.ts';
export { workQueueOf } from './work-queue.ts';
