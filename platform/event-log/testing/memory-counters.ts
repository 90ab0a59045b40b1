/** Counters on a broker in memory that can be told to fail: what the unit specs of attempts and of faults start from. */
import type { LogLimits } from '../src/log/limits.ts';
import type { MemoryBroker } from '../src/memory/broker.ts';
import { MemoryLink } from '../src/memory/link.ts';
import { createMemoryBroker, openMemoryLog } from '../src/memory/open.ts';
import type { Aggregates, EventLog, EventTopic } from '../src/ports.ts';
import { counterOf, type Counted } from './counter.ts';

/** One process: a started log with its link to the broker. */
interface Process {
  readonly log: EventLog;
  readonly link: MemoryLink;
  readonly counters: Aggregates<number, Counted>;
}

/** A broker of its own with one process on it; `open` starts another one. */
export async function memoryCounters(
  topic: EventTopic<Counted>,
  limits: Partial<LogLimits> = {},
): Promise<Process & { readonly broker: MemoryBroker; readonly open: () => Promise<Process> }> {
  const broker = createMemoryBroker();
  const open = async (): Promise<Process> => {
    const link = new MemoryLink();
    const log = openMemoryLog({ broker, link, limits });
    const counters = log.aggregate(counterOf(topic));
    await log.start();
    return { log, link, counters };
  };
  return { broker, open, ...(await open()) };
}
