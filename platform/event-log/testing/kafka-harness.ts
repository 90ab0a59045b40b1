/** The feature suite's faults on a running broker: a proxy between client and broker, and a log cut on its disk. */
import { readFile, truncate, readdir } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestEngines } from '@parley/engines/testing';
import kafkajs, { type Kafka, type Message } from 'kafkajs';
import { pino } from 'pino';
import { kafkaClient } from '../src/kafka/client.ts';
import { openKafkaLog } from '../src/kafka/open.ts';
import { WAIT_MS_MAX, type Harness, type Link } from './harness.ts';

/** A TCP proxy on loopback that can stop forwarding in either direction. */
export class ProxyLink implements Link {
  readonly #server: Server;
  readonly #pairs = new Set<{ readonly client: Socket; readonly broker: Socket }>();
  #held: 'requests' | 'answers' | undefined;

  private constructor(target: number) {
    this.#server = createServer((client) => {
      const pair = { client, broker: connect(target, '127.0.0.1') };
      this.#pairs.add(pair);
      const end = (): void => {
        client.destroy();
        pair.broker.destroy();
        this.#pairs.delete(pair);
      };
      for (const socket of [client, pair.broker]) {
        socket.setNoDelay(true);
        socket.on('error', end);
        socket.on('close', end);
      }
      client.on('data', (bytes) => pair.broker.write(bytes));
      pair.broker.on('data', (bytes) => client.write(bytes));
      this.#apply(pair);
    });
  }

  static async to(target: number): Promise<ProxyLink> {
    const link = new ProxyLink(target);
    await new Promise<void>((resolve) => link.#server.listen(0, '127.0.0.1', resolve));
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port; // listening on TCP
  }

  hold(what: 'requests' | 'answers'): void {
    this.#held = what;
    for (const pair of this.#pairs) this.#apply(pair);
  }

  release(): void {
    this.#held = undefined;
    for (const { client, broker } of this.#pairs) {
      client.resume();
      broker.resume();
    }
  }

  close(): void {
    this.#server.close();
    for (const { client, broker } of [...this.#pairs]) {
      client.destroy();
      broker.destroy();
    }
  }

  #apply({ client, broker }: { readonly client: Socket; readonly broker: Socket }): void {
    if (this.#held === 'requests') client.pause();
    if (this.#held === 'answers') broker.pause();
  }
}

const BATCH_PREFIX_BYTES = 12;
const LAST_OFFSET_DELTA_AT = 23;

/** Where the batch that holds a record begins in a segment. @throws RangeError when a batch straddles it. */
function bytesBefore(segment: Buffer, length: number): number {
  let at = 0;
  while (at + BATCH_PREFIX_BYTES <= segment.length) {
    const base = Number(segment.readBigInt64BE(at));
    if (base >= length) return at;
    const last = base + segment.readInt32BE(at + LAST_OFFSET_DELTA_AT);
    if (last >= length)
      throw new RangeError(`a batch of offsets ${base} to ${last} cannot be cut at ${length}`);
    at += BATCH_PREFIX_BYTES + segment.readInt32BE(at + 8);
  }
  return at;
}

/** Kills the broker, cuts the file of a partition, starts the broker again. */
async function truncatePartition(
  engines: TestEngines,
  topic: string,
  at: { readonly partition: number; readonly length: number },
): Promise<void> {
  await engines.kill('kafka');
  const directory = join(engines.runDir, 'kafka', 'data', `${topic}-${at.partition}`);
  const [segment] = (await readdir(directory)).filter((name) => name.endsWith('.log')).sort();
  if (segment === undefined) throw new Error(`no segment in ${directory}`);
  const path = join(directory, segment);
  await truncate(path, bytesBefore(await readFile(path), at.length));
  await engines.restart('kafka');
}

async function appendRaw(
  kafka: Kafka,
  topic: string,
  message: Message & { readonly partition: number },
): Promise<number> {
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  try {
    const [answer] = await producer.send({ topic, acks: -1, messages: [message] });
    return Number(answer?.baseOffset);
  } finally {
    await producer.disconnect();
  }
}

/**
 * A member that knows another way of assigning only: while it is in the group, the broker lets no member of ours in.
 * It comes in when none of ours is there; it tries for as long as that takes.
 */
async function takeGroup(kafka: Kafka, group: string, topic: string): Promise<() => Promise<void>> {
  const { MemberMetadata } = kafkajs.AssignerProtocol;
  for (;;) {
    const consumer = kafka.consumer({
      groupId: group,
      partitionAssigners: [
        () => ({
          name: 'stranger',
          version: 1,
          assign: () => Promise.resolve([]),
          protocol: ({ topics }) => ({
            name: 'stranger',
            metadata: MemberMetadata.encode({ version: 1, topics, userData: Buffer.alloc(0) }),
          }),
        }),
      ],
      retry: { retries: 0, restartOnFailure: () => Promise.resolve(false) },
    });
    const taken = await new Promise<boolean>((resolve, reject) => {
      consumer.on(consumer.events.GROUP_JOIN, () => {
        resolve(true);
      });
      consumer.on(consumer.events.CRASH, () => {
        resolve(false);
      });
      const run = async (): Promise<void> => {
        await consumer.connect();
        await consumer.subscribe({ topic });
        await consumer.run({ autoCommit: false, eachBatch: () => Promise.resolve() });
      };
      run().catch(reject);
    });
    if (taken) return () => consumer.disconnect();
    await consumer.disconnect();
  }
}

async function registerSchema(registryUrl: string, subject: string, schema: object): Promise<number> {
  const response = await fetch(`${registryUrl}/subjects/${encodeURIComponent(subject)}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ schema: JSON.stringify(schema) }),
    signal: AbortSignal.timeout(WAIT_MS_MAX),
  });
  if (!response.ok) throw new Error(`the registry answered ${response.status}: ${await response.text()}`);
  return ((await response.json()) as { readonly id: number }).id; // the registry's documented answer
}

/** Logs on the engines' broker, each behind a proxy of its own. */
export async function kafkaHarness(engines: TestEngines): Promise<Harness> {
  const silent = pino({ level: 'silent' });
  const kafka = kafkaClient({ clientId: 'stranger', bootstrap: engines.bootstrap, logger: silent });
  const idle: ProxyLink[] = [];
  const used: ProxyLink[] = [];
  for (let n = 0; n < LINKS; n++) idle.push(await ProxyLink.to(engines.ports.kafka));
  const registry = await ProxyLink.to(engines.ports.registry);
  return {
    open: ({ limits = {}, logger = silent, snapshotDir }) => {
      const link = idle.pop();
      if (link === undefined) throw new RangeError(`a test opens at most ${LINKS} logs`);
      used.push(link);
      const log = openKafkaLog({
        service: 'suite',
        clientId: 'suite',
        bootstrap: engines.bootstrap,
        registryUrl: engines.registryUrl.replace(String(engines.ports.registry), String(registry.port)),
        logger,
        limits,
        snapshotDir,
        socketFactory: ({ onConnect }) => connect(link.port, '127.0.0.1', onConnect),
      });
      return { log, link };
    },
    appendRaw: (topic, partition, { key, value, headers }) =>
      appendRaw(kafka, topic, { partition, key, value, ...(headers === undefined ? {} : { headers }) }),
    truncate: (topic, partition, length) => truncatePartition(engines, topic, { partition, length }),
    registry,
    takeGroup: (group, topic) => takeGroup(kafka, group, topic),
    registerSchema: (subject, schema) => registerSchema(engines.registryUrl, subject, schema),
    stop: () => {
      for (const link of [...idle, ...used, registry]) link.close();
      return Promise.resolve();
    },
  };
}

const LINKS = 6;
