import { Buffer } from 'node:buffer';
import type { ProducerBatch, RecordMetadata } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { BatchRefused, type NewRecord } from '../log/transport.ts';
import { CombinedSends } from './combined-sends.ts';

const records = (key: string): NewRecord[] => [{ key, value: Buffer.from(key), headers: {} }];
const DONE = 0;
const NOT_LEADER = 6;
const MESSAGE_TOO_LARGE = 10;
const refusal = Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE' });

/** What a request holds, as `topic/partition: keys`. */
const contentOf = ({ topicMessages = [] }: ProducerBatch): readonly string[] =>
  topicMessages.flatMap(({ topic, messages }) =>
    messages.map(({ partition, key }) => `${topic}/${String(partition)}: ${String(key)}`),
  );
const written = (request: ProducerBatch): RecordMetadata[] =>
  (request.topicMessages ?? []).map(({ topic, messages: [first] }) => ({
    topicName: topic,
    partition: first?.partition ?? -1,
    errorCode: 0,
  }));

/** Sends over a producer whose answers are as given, then all written. */
const setUp = (...answers: ((request: ProducerBatch) => RecordMetadata[])[]) => {
  const requests: (readonly string[])[] = [];
  const sends = new CombinedSends({
    sendBatch: async (request) => {
      await Promise.resolve();
      requests.push(contentOf(request));
      const answer = answers.shift() ?? written;
      return answer(request);
    },
  });
  /** `done`, or the class of what it rejects with. */
  const send = (partition: number, topic = 't'): Promise<string> =>
    sends.send(topic, partition, records(`p${partition}`)).then(
      () => 'done',
      (error: unknown) => (error instanceof BatchRefused ? 'refused' : 'unanswered'),
    );
  return { send, requests };
};

describe('sends of one turn', () => {
  it('travel in one request, whatever their topics and partitions', async () => {
    const { send, requests } = setUp();
    expect(await Promise.all([send(0), send(1), send(1, 'other')])).toEqual(['done', 'done', 'done']);
    expect(requests).toEqual([['t/0: p0', 't/1: p1', 'other/1: p1']]);
  });

  it('do not wait for those of an earlier turn', async () => {
    const pending = Promise.withResolvers<undefined>();
    const { send, requests } = setUp(() => {
      throw new Error('never answered in time');
    });
    const first = send(0).finally(() => {
      pending.resolve(undefined);
    });
    await pending.promise;
    expect(await send(1)).toBe('done');
    expect(await first).toBe('unanswered');
    expect(requests).toEqual([['t/0: p0'], ['t/1: p1']]);
  });

  it('that the answer does not name are unanswered, the others are done', async () => {
    const { send } = setUp((request) => written(request).filter(({ partition }) => partition === 1));
    expect(await Promise.all([send(0), send(1), send(2)])).toEqual(['unanswered', 'done', 'unanswered']);
  });

  it('are all unanswered when their request fails, and then travel alone until they are written', async () => {
    const fail = () => {
      throw refusal;
    };
    const { send, requests } = setUp(fail, written, fail);
    expect(await Promise.all([send(0), send(1)])).toEqual(['unanswered', 'unanswered']);
    const second = await Promise.all([send(0), send(1), send(2), send(3)]);
    expect(second).toEqual(['refused', 'done', 'done', 'done']);
    await Promise.all([send(0), send(1), send(2)]);
    expect(requests).toEqual([
      ['t/0: p0', 't/1: p1'],
      ['t/2: p2', 't/3: p3'],
      ['t/0: p0'],
      ['t/1: p1'],
      ['t/1: p1', 't/2: p2'],
      ['t/0: p0'],
    ]);
  });

  it('are told what the broker says of each, and only those that it could not write now travel alone', async () => {
    const codes = [DONE, MESSAGE_TOO_LARGE, NOT_LEADER];
    const { send, requests } = setUp((request) =>
      written(request).map((one) => ({ ...one, errorCode: codes[one.partition] ?? DONE })),
    );
    expect(await Promise.all([send(0), send(1), send(2)])).toEqual(['done', 'refused', 'unanswered']);
    await Promise.all([send(0), send(1), send(2)]);
    expect(requests.slice(1)).toEqual([['t/0: p0', 't/1: p1'], ['t/2: p2']]);
  });

  it('that travel alone are refused by name', async () => {
    const { send } = setUp(() => {
      throw refusal;
    });
    expect(await send(0)).toBe('refused');
    expect(await send(0)).toBe('done');
  });
});
