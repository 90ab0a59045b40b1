/** The parent's end of the rival's processes. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { serviceNames, type Endpoints, type ServiceName } from '@parley/contracts/endpoints';
import { eventTopics } from '@parley/contracts/topics';
import { connect } from 'amqplib';
import kafkajs from 'kafkajs';
import { PLAIN_QUEUE, plainTopic } from './plain-names.ts';
import type { PlainAnswer, PlainPeers, PlainStart } from './plain-service.ts';

export interface Rival {
  readonly orderUrls: readonly string[];
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

const START_DEADLINE_MS = 30_000;

const answerOf = async (child: ChildProcess): Promise<PlainAnswer> => {
  const ended = new AbortController();
  const onExit = (): void => {
    ended.abort(new Error('a process of the plain rival ended'));
  };
  child.once('exit', onExit);
  try {
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(START_DEADLINE_MS)]);
    const [answer] = (await once(child, 'message', { signal })) as [PlainAnswer];
    return answer;
  } finally {
    child.off('exit', onExit);
  }
};

const createTopics = async (bootstrap: string): Promise<void> => {
  const admin = new kafkajs.Kafka({
    brokers: bootstrap.split(','),
    logLevel: kafkajs.logLevel.NOTHING,
  }).admin();
  await admin.connect();
  const topics = serviceNames.map((name, index) => ({
    topic: plainTopic(name),
    numPartitions: eventTopics[index]?.partitions ?? 1,
  }));
  await admin.createTopics({ topics, waitForLeaders: true });
  await admin.disconnect();
};

/** Here and once: RabbitMQ 3.10 may answer two that declare one quorum queue at a time with INTERNAL_ERROR. */
const createQueue = async (amqp: string): Promise<void> => {
  const connection = await connect(amqp);
  const channel = await connection.createChannel();
  await channel.assertQueue(PLAIN_QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await connection.close();
};

/** Starts so many processes of each of the five services on the engines of a stack; resolves when all of them work. */
export const startRival = async (
  { kafka: { bootstrap }, rabbitmq: { amqp } }: Pick<Endpoints, 'kafka' | 'rabbitmq'>,
  instances: number,
): Promise<Rival> => {
  await createTopics(bootstrap);
  await createQueue(amqp);
  const children: { readonly service: ServiceName; readonly child: ChildProcess; url: string }[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(
      children.map(async ({ child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exited = once(child, 'exit');
        child.disconnect();
        await exited;
      }),
    );
  };
  try {
    for (const service of serviceNames)
      for (let n = 0; n < instances; n += 1) {
        const start: PlainStart = { service, bootstrap, amqp };
        const env = { ...process.env, NODE_NO_WARNINGS: '1' };
        const child = fork(join(import.meta.dirname, 'plain-service.ts'), [JSON.stringify(start)], { env });
        children.push({ service, child, url: '' });
      }
    await Promise.all(
      children.map(async (each) => {
        const answer = await answerOf(each.child);
        if ('url' in answer) each.url = answer.url;
      }),
    );
    const byService = Map.groupBy(children, ({ service }) => service);
    const urls = [...byService].map(([service, of]) => [service, of.map(({ url }) => url)] as const);
    const peers: PlainPeers = Object.fromEntries(urls);
    await Promise.all(
      children.map(async ({ child }) => {
        const ready = answerOf(child);
        child.send(peers);
        await ready;
      }),
    );
    return {
      orderUrls: peers.order ?? [],
      pids: children.flatMap(({ child }) => child.pid ?? []),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
};
