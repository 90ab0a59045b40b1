/** A member of a reaction's group, which is ended by SIGTERM or killed: it appends a line to a file for each effect. */
import { openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { done } from '@parley/delivery';
import { pino } from 'pino';
import { openKafkaLog } from '../src/kafka/open.ts';
import { counterOf, countedTopic } from './counter.ts';

/** How long an effect takes at most: some are under way whenever the group re-balances. */
const EFFECT_MS_MAX = 10;

const [bootstrap = '', registryUrl = '', topicName = '', path = '', member = ''] = process.argv.slice(2);
const topic = countedTopic(topicName);
const effects = openSync(path, 'a'); // the lines of all processes have one order
const log = openKafkaLog({
  service: 'effects',
  clientId: member,
  bootstrap,
  registryUrl,
  logger: pino({ level: 'silent' }),
});
log.aggregate(counterOf(topic));
log.react({
  group: `${topicName}.effects`,
  topic,
  handle: async ({ streamId, eventId, event }) => {
    await pause(Math.random() * EFFECT_MS_MAX);
    writeSync(effects, `${member} ${streamId} ${String(event.data.by)} ${eventId}\n`);
    return done;
  },
});
process.on('SIGTERM', () => {
  void log.close().finally(() => process.exit());
});
await log.start();
