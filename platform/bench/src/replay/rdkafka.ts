/**
 * node-rdkafka as a rival: a native client, no dependency of the project, since its installation compiles C++ for
 * minutes. It is installed into the cache when it is asked for.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { cacheDir, EnvironmentError, run } from '@parley/engines';
import { orderEvents } from '@parley/contracts/topics';
import type { BenchContext } from '../context.ts';
import type { LogAddress } from './orders.ts';
import { decodersFrom, foldInto, replayed, startMeasuring, type Replayed } from './readers.ts';

const VERSION = '3.6.1';
/** package.json and package-lock.json of the rival, with its version and those of what it needs. */
const LOCKED = join(import.meta.dirname, '../../lock/node-rdkafka');
const BUILD_TIMEOUT_MS = 3_600_000;
const BATCH_RECORDS = 10_000;
const STALL_MS = 30_000;

interface Message {
  readonly value: Buffer | null;
}
type Done<T = unknown> = (error: Error | null, value: T) => void;

/** The part of node-rdkafka that is used. */
interface NativeConsumer {
  connect(options: object, done: Done): void;
  disconnect(done: Done): void;
  queryWatermarkOffsets(
    topic: string,
    partition: number,
    timeoutMs: number,
    done: Done<{ readonly highOffset: number }>,
  ): void;
  assign(positions: readonly { topic: string; partition: number; offset: number }[]): void;
  setDefaultConsumeTimeout(timeoutMs: number): void;
  consume(count: number, done: Done<readonly Message[]>): void;
}
interface NativeClient {
  readonly KafkaConsumer: new (config: object, topicConfig: object) => NativeConsumer;
}

const folder = (): string =>
  join(cacheDir(), 'bench', `node-rdkafka-${VERSION}-node-${process.versions.modules}`);

/** Builds it unless that was done before. @throws EnvironmentError with the end of what the compiler said. */
export async function obtainRdkafka({
  print,
  signal,
}: Pick<BenchContext, 'print' | 'signal'>): Promise<void> {
  if (existsSync(folder())) return;
  print(`building node-rdkafka ${VERSION}: minutes`);
  const building = `${folder()}.${process.pid}`;
  await mkdir(building, { recursive: true });
  try {
    await cp(LOCKED, building, { recursive: true });
    const nodeDir = dirname(dirname(process.execPath));
    // The headers of the Node that runs; node-gyp would take those of another that is installed, or ask the network.
    const headers = existsSync(join(nodeDir, 'include/node/node.h')) ? { npm_config_nodedir: nodeDir } : {};
    const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`;
    // In a process group of its own, which an interrupt ends as a whole: npm alone would leave the compiler.
    const marks = { ...headers, PATH: path };
    const args = ['ci', '--no-audit', '--no-fund'];
    await run('npm', args, { cwd: building, marks, signal, deadlineMs: BUILD_TIMEOUT_MS });
    await rename(building, folder());
  } catch (error) {
    signal.throwIfAborted();
    const said = error instanceof Error ? error.message : String(error);
    throw new EnvironmentError(
      `node-rdkafka ${VERSION} cannot be built here: ${said}`,
      'npm run bench -- replay',
      { cause: error },
    );
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

function load(): NativeClient {
  const require = createRequire(import.meta.url);
  // Not installed with the project: its types are those above.
  return require(join(folder(), 'node_modules/node-rdkafka')) as NativeClient;
}

const answered = <T>(ask: (done: Done<T>) => void): Promise<T> =>
  new Promise((resolve, reject) => {
    ask((error, value) => {
      if (error === null) resolve(value);
      else reject(error);
    });
  });

/** Batches of librdkafka, avsc and the projection's fold into a map, with the fetch sizes of the event log. */
export async function replayNative({ bootstrap, registryUrl }: LogAddress): Promise<Replayed> {
  const { KafkaConsumer } = load();
  const started = startMeasuring();
  const decoders = await decodersFrom(registryUrl);
  const consumer = new KafkaConsumer(
    {
      'bootstrap.servers': bootstrap,
      'group.id': `bench-${String(process.pid)}`,
      'enable.auto.commit': false,
      'fetch.wait.max.ms': 500,
      'fetch.message.max.bytes': 1_048_576,
      'fetch.max.bytes': 16_777_216,
      'queued.min.messages': 1_000_000,
      'queued.max.messages.kbytes': 65_536,
    },
    {},
  );
  await answered((done) => {
    consumer.connect({}, done);
  });
  try {
    const { name: topic } = orderEvents;
    const partitions = Array.from({ length: orderEvents.partitions }, (_, partition) => partition);
    let expected = 0;
    for (const partition of partitions)
      expected += (
        await answered<{ readonly highOffset: number }>((done) => {
          consumer.queryWatermarkOffsets(topic, partition, STALL_MS, done);
        })
      ).highOffset;
    consumer.setDefaultConsumeTimeout(100);
    consumer.assign(partitions.map((partition) => ({ topic, partition, offset: 0 })));
    const { fold, sorted } = foldInto(decoders);
    let lastAtMs = performance.now();
    let events = 0;
    while (events < expected) {
      const messages = await answered<readonly Message[]>((done) => {
        consumer.consume(BATCH_RECORDS, done);
      });
      for (const message of messages) fold(message);
      events += messages.length;
      if (messages.length > 0) lastAtMs = performance.now();
      else if (performance.now() - lastAtMs > STALL_MS) throw new Error(`stands still at ${events} events`);
    }
    return replayed(events, started, sorted);
  } finally {
    await answered((done) => {
      consumer.disconnect(done);
    });
  }
}
