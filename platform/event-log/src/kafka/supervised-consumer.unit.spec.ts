import { pino } from 'pino';
import { expect, it } from 'vitest';
import { kafkaClient } from './client.ts';
import { SupervisedConsumer } from './supervised-consumer.ts';

it('a consumer that is closed while it is being made is not made any more', async () => {
  const logger = pino({ level: 'silent' });
  const kafka = kafkaClient({ clientId: 'unit', bootstrap: '127.0.0.1:1', logger }); // it is never connected
  const asked = Promise.withResolvers<undefined>();
  const supervised = new SupervisedConsumer({
    what: 'a consumer',
    logger,
    signal: new AbortController().signal, // the transport goes on
    make: () => kafka.consumer({ groupId: 'g' }),
    run: () => {
      asked.resolve(undefined);
      return Promise.reject(new Error('no broker'));
    },
  });
  const started = expect(supervised.start()).rejects.toThrow('aborted');
  await asked.promise;
  await supervised.close();
  await started;
});
