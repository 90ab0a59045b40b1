/**
 * Sends what is asked for in one turn in one request: the batches of four partitions, each with its own outbox, are due
 * at the same time, and every request has a price of its own.
 *
 * kafkajs 2.2.4 can resolve a send of which a part was never written, so each partition must be named in the answer. Of
 * several, each is told what the broker says of it (patch-kafkajs.ts). Those that it does not name or cannot write now, and
 * all when the request is not answered, count as unanswered and travel alone the next time: whoever is to blame spoils it
 * for nobody else, and kafkajs looks for the leader of that one alone.
 */
import type { IHeaders, Producer, RecordMetadata } from 'kafkajs';
import { BatchRefused, type NewRecord } from '../log/transport.ts';
import { errorOfCode } from './patch-kafkajs.ts';

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
        messages: records.map(({ key, value, headers }) => ({
          key,
          value,
          headers: headers as IHeaders, // a list is written by our own encoding (lean-records.ts)
          partition,
        })),
      }));
      const answers = await this.#producer.sendBatch({ acks: ACKS, topicMessages });
      for (const send of sends) this.#answered(send, answers);
    } catch (error) {
      const [only, ...others] = sends;
      if (only !== undefined && others.length === 0) only.reject(refusalOf(error) ?? error);
      else for (const send of sends) this.#unanswered(send, error);
    }
  }

  #answered(send: Send, answers: readonly RecordMetadata[]): void {
    const answer = answers.find(
      ({ topicName, partition }) => topicName === send.topic && partition === send.partition,
    );
    if (answer === undefined) {
      this.#unanswered(send, new Error(`the broker did not name ${nameOf(send)} in its answer`));
    } else if (answer.errorCode === 0) {
      this.#written(send);
    } else {
      const error = errorOfCode(answer.errorCode);
      const refusal = refusalOf(error);
      if (refusal === undefined) this.#unanswered(send, error);
      else send.reject(refusal);
    }
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
