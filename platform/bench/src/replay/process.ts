/** One job of the replay benchmark in a process of its own, so that no heap is shared. One line of JSON on stdout. */
import { recordOrders } from './orders.ts';
import { replayNative } from './rdkafka.ts';
import { replayBare, replayThroughLog } from './readers.ts';

const [job = '', bootstrap, registryUrl, events] = process.argv.slice(2);
if (bootstrap === undefined || registryUrl === undefined) throw new TypeError('which log?');
const address = { bootstrap, registryUrl };

async function run(): Promise<object> {
  switch (job) {
    case 'record':
      return {
        recorded: await recordOrders(address, Number(events), (line) => process.stderr.write(`${line}\n`)),
      };
    case 'log':
      return replayThroughLog(address);
    case 'bare':
      return replayBare(address);
    case 'rdkafka':
      return replayNative(address);
    default:
      throw new TypeError(`no such job: ${job}`);
  }
}

process.stdout.write(`${JSON.stringify(await run())}\n`);
