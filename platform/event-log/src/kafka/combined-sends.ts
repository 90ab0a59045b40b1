/**
 * Sends what is asked for in one turn in one request: the batches of four partitions, each with its own outbox, are due
 * at the same time, and every request has a price of its own.
 *
 * kafkajs 2.2.4 can resolve a send of which a part was never written, so each partition must be named in the answer. When
 * the broker does not take one of several, each is told what the broker says of it. Whoever is not named, and all when a
 * request of several is not answered, count as unanswered and travel alone the next time: whoever is to blame spoils it for
 * nobody else.
 */
import type { Producer } from 'kafkajs';
import { BatchRefused, type NewRecord } from '../log/transport.ts';
import { answersIn } from './produce-answers.ts';

/** Broker answers after which nothing of the batch is in the log and never will be. */
const FINAL = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
]);
/** Waits for the acknowledgement of all replicas that are in sync. */
const ACKS = -1;

interface Send {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly NewRecord[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const nameOf = ({ topic, partition }: Pick<Send, 'topic' | 'partition'>): string =>
  `${topic}/${String(partition)}`;

export class CombinedSends {
  readonly #producer: Pick<Producer, 'sendBatch'>;
  /** Asked for in this turn. */
  readonly #due: Send[] = [];
  /** Partitions whose last send of several was not answered. */
  readonly #alone = new Set<string>();

  constructor(producer: Pick<Producer, 'sendBatch'>) {
    this.#producer = producer;
  }

  /** See `Transport.send`. One send of a partition at a time. */
  send(topic: string, partition: number, records: readonly NewRecord[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#due.push({ topic, partition, records, resolve, reject });
      if (this.#due.length > 1) return;
      process.nextTick(() => {
        this.#flush(this.#due.splice(0));
      });
    });
  }

  #flush(due: readonly Send[]): void {
    const together: Send[] = [];
    const alone: Send[] = [];
    for (const send of due) (this.#alone.has(nameOf(send)) ? alone : together).push(send);
    if (together.length > 0) void this.#request(together);
    for (const send of alone) void this.#request([send]);
  }

  async #request(sends: readonly Send[]): Promise<void> {
    try {
      const topicMessages = sends.map(({ topic, partition, records }) => ({
        topic,
        messages: records.map(({ key, value, headers }) => ({ key, value, headers, partition })),
      }));
      const written = await this.#producer.sendBatch({ acks: ACKS, topicMessages });
      for (const send of sends) {
        const isWritten = written.some(
          ({ topicName, partition, errorCode }) =>
            topicName === send.topic && partition === send.partition && errorCode === 0,
        );
        if (isWritten) this.#written(send);
        else this.#unanswered(send, new Error(`the broker did not name ${nameOf(send)} in its answer`));
      }
    } catch (error) {
      for (const send of sends) this.#failed(send, error, sends.length === 1);
    }
  }

  #failed(send: Send, error: unknown, isAlone: boolean): void {
    const answer = answersIn(error).find(
      ({ topicName, partition }) => topicName === send.topic && partition === send.partition,
    );
    if (answer !== undefined && answer.error === undefined) {
      this.#written(send);
      return;
    }
    const refusal = refusalOf(isAlone ? error : answer?.error);
    if (refusal !== undefined) send.reject(refusal);
    else if (isAlone) send.reject(error);
    else this.#unanswered(send, error);
  }

  #written(send: Send): void {
    this.#alone.delete(nameOf(send));
    send.resolve();
  }

  #unanswered(send: Send, error: unknown): void {
    this.#alone.add(nameOf(send));
    send.reject(error);
  }
}

/** What a partition was refused for; undefined when it may have been written. */
function refusalOf(error: unknown): BatchRefused | undefined {
  if (!(error instanceof Error) || !('type' in error) || !FINAL.has(String(error.type))) return undefined;
  return new BatchRefused(error.message, { cause: error });
}
