import { orderEvents } from '@parley/contracts/topics';
import kafkajs, { type Consumer } from 'kafkajs';
import { plainTopic } from './plain-names.ts';

/** What comes is fetched together: an answer for each record would cost the engines as much as a service does. */
const GATHER = { minBytes: 1_048_576, maxWaitTimeInMs: 25 };

/** Sees every order of either side become SHIPPED, on the order topics. */
export class Shipped {
  readonly #consumer: Consumer;
  readonly #orders = new Set<string>();
  #more = Promise.withResolvers<undefined>();
  #bytes = 0;
  #records = 0;

  constructor(bootstrap: string) {
    const kafka = new kafkajs.Kafka({ brokers: bootstrap.split(','), logLevel: kafkajs.logLevel.NOTHING });
    this.#consumer = kafka.consumer({
      groupId: 'parley-bench-throughput',
      allowAutoTopicCreation: false,
      ...GATHER,
    });
  }

  /** Resolves once nothing that is written from then on is missed. */
  async start(): Promise<void> {
    const joined = Promise.withResolvers<undefined>();
    this.#consumer.on('consumer.group_join', () => {
      joined.resolve(undefined);
    });
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [orderEvents.name, plainTopic('order')] });
    await this.#consumer.run({
      autoCommit: false, // it reads on from where it began, for as long as it runs
      eachBatch: ({ batch }) => {
        for (const { key, value, headers } of batch.messages) {
          this.#records += 1;
          this.#bytes += value?.length ?? 0;
          if (String(headers?.ce_type) !== 'OrderShipped') continue;
          this.#orders.add(String(key).slice('order-'.length));
        }
        this.#more.resolve(undefined);
        this.#more = Promise.withResolvers<undefined>();
        return Promise.resolve();
      },
    });
    await joined.promise;
  }

  stop(): Promise<void> {
    return this.#consumer.disconnect();
  }

  has(orderId: string): boolean {
    return this.#orders.has(orderId);
  }

  /** Orders seen SHIPPED so far, of both sides. */
  get count(): number {
    return this.#orders.size;
  }

  /** Of the order topics' records so far, of both sides. */
  get size(): { readonly records: number; readonly bytes: number } {
    return { records: this.#records, bytes: this.#bytes };
  }

  /** Resolves when more orders were seen; one promise for everybody who waits. */
  more(): Promise<undefined> {
    return this.#more.promise;
  }
}
