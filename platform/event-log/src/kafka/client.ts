import kafkajs, { type ISocketFactory, type Kafka, type logCreator } from 'kafkajs';
import type { Logger } from 'pino';
import { patchKafkajs } from './patch-kafkajs.ts';

/** Messages of kafkajs at error level that are part of normal flow: retried, and they succeed. */
const NORMAL =
  /already exists|topic creation errors|coordinator is (loading|not available)|rebalance in progress|not the coordinator|no longer in the group/i;

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

const logInto =
  (logger: Logger): logCreator =>
  () =>
  ({ level, log }) => {
    const { message } = log;
    const error = textOf(log.error);
    const detail = { kafkajs: error, groupId: textOf(log.groupId) };
    if (NORMAL.test(`${message} ${error}`)) logger.debug(detail, message);
    else if (level <= kafkajs.logLevel.ERROR) logger.warn(detail, message);
    else logger.debug(detail, message);
  };

/** One kafkajs client per process, with bounded patience: our own loops decide how often to try again. */
export function kafkaClient(options: {
  readonly clientId: string;
  /** host:port of one or more brokers, separated by commas. */
  readonly bootstrap: string;
  readonly logger: Logger;
  readonly socketFactory?: ISocketFactory;
}): Kafka {
  patchKafkajs();
  return new kafkajs.Kafka({
    clientId: options.clientId,
    brokers: options.bootstrap.split(','),
    connectionTimeout: 1000,
    requestTimeout: 5000,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 10 },
    logLevel: kafkajs.logLevel.WARN,
    logCreator: logInto(options.logger),
    ...(options.socketFactory === undefined ? {} : { socketFactory: options.socketFactory }),
  });
}
