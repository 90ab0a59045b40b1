/** A process with one reaction, to be killed: it prints the sum of each event that it handled. */
import { done } from '@parley/delivery';
import { pino } from 'pino';
import { openKafkaLog } from '../src/kafka/open.ts';
import { counterOf, countedTopic } from './counter.ts';

const [bootstrap = '', registryUrl = '', topicName = ''] = process.argv.slice(2);
const topic = countedTopic(topicName);
const log = openKafkaLog({
  service: 'reacting',
  clientId: 'reacting',
  bootstrap,
  registryUrl,
  logger: pino({ level: 'silent' }),
});
log.aggregate(counterOf(topic));
log.react({
  group: `${topicName}.reacting`,
  topic,
  handle: ({ event }) => {
    process.stdout.write(`${event.data.by}\n`);
    return Promise.resolve(done);
  },
});
await log.start();
