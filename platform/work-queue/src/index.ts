export {
  PublishError,
  type ConsumerOptions,
  type IncomingMessage,
  type OutgoingMessage,
  type PublishErrorReason,
  type Publisher,
  type QueueDefinition,
  type WorkQueue,
  type WorkQueueHealth,
} from './ports.ts';
export { openWorkQueue, type WorkQueueOptions } from './rabbitmq/work-queue.ts';
