import { canonical } from '../log/canonical.ts';
import { BatchRefused, type RawRecord, type TopicListener, type Transport } from '../log/transport.ts';
import type { LogFileRecord, LogFileSummary } from './format.ts';
import { scanLogFile, verifyLogFile } from './reader.ts';

/** A log file as a log that ends where the file ends and takes nothing. */
export class FileTransport implements Transport {
  readonly schemas: Transport['schemas'];
  readonly #path: string;
  readonly #closing = new AbortController();
  #file: LogFileSummary | undefined;

  constructor(path: string) {
    this.#path = path;
    this.schemas = {
      // Nothing is ever written, so the id of a schema that the file does not know is never used.
      register: (_subject, schema) => {
        const text = canonical(schema);
        const known = Object.entries(this.#summary().header.schemas).find(
          ([, other]) => canonical(other) === text,
        );
        return Promise.resolve(known === undefined ? 0 : Number(known[0]));
      },
      fetch: (id) => Promise.resolve(this.#summary().header.schemas[String(id)]),
    };
  }

  /** Reads the whole file once, so that nothing of a damaged file is ever folded. @throws LogFileError */
  async connect(
    topics: readonly { readonly name: string; readonly partitions: number }[],
    signal: AbortSignal,
  ): Promise<void> {
    this.#file = await verifyLogFile(this.#path, AbortSignal.any([signal, this.#closing.signal]));
    for (const { name, partitions } of topics) {
      const recorded = this.#file.header.topics[name]?.partitions;
      if (recorded !== undefined && recorded !== partitions)
        throw new RangeError(
          `${name} has ${String(recorded)} partitions in the file, ${String(partitions)} are declared`,
        );
    }
  }

  /** Of a topic that the file does not have: none, so it is read to its end at once. */
  endOffsets(topic: string): Promise<readonly number[]> {
    return Promise.resolve(this.#summary().counts[topic] ?? []);
  }

  /** Resolves when the topic was delivered to its end. */
  async read(topic: string, listener: TopicListener): Promise<() => Promise<void>> {
    await scanLogFile(this.#path, {
      signal: this.#closing.signal,
      onRecords: async (records) => {
        for (const [partition, batch] of byPartition(topic, records))
          await listener.onRecords(partition, batch);
      },
    });
    return () => Promise.resolve(); // it has ended
  }

  send(): Promise<void> {
    return Promise.reject(new BatchRefused('a log file is read-only'));
  }

  join(group: string): Promise<void> {
    return Promise.reject(new Error(`${group}: a log file is read-only, nothing may react to it`));
  }

  leaveGroups(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  #summary(): LogFileSummary {
    if (this.#file === undefined) throw new Error('the log file was not opened');
    return this.#file;
  }
}

function byPartition(topic: string, records: readonly LogFileRecord[]): ReadonlyMap<number, RawRecord[]> {
  const batches = new Map<number, RawRecord[]>();
  for (const { topic: of, partition, record } of records) {
    if (of !== topic) continue;
    const batch = batches.get(partition);
    if (batch === undefined) batches.set(partition, [record]);
    else batch.push(record);
  }
  return batches;
}
