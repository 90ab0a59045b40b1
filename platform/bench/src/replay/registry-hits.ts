/** What a replay asks the registry: every schema once, however many events are written with it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { countingProxy } from '@parley/engines/testing';
import type { BenchContext } from '../context.ts';
import { eventsOf } from './order-events.ts';
import type { LogAddress } from './orders.ts';

const TIMELINE = join(import.meta.dirname, '../../../timeline/src/main.ts');
const REPLAY_TIMEOUT_MS = 600_000;

/** One way of replaying, and what it asked for. */
interface Asked {
  readonly replay: string;
  readonly events: number;
  /** Requests for each schema id: what it stands for, or which id a schema has. */
  readonly requestsPerSchema: readonly number[];
}

export interface HitsResult {
  readonly title: string;
  readonly schemas: number;
  readonly replays: readonly Asked[];
  readonly holds: boolean;
}

/** Of the types that the recorded log holds: nobody has to ask for the others. */
const subjectsOf = (): readonly string[] => eventsOf(0).map(({ type }) => `parley.order.${type}`);

const idOf = async (registryUrl: string, subject: string): Promise<number> => {
  const response = await fetch(`${registryUrl}/subjects/${subject}/versions/latest`);
  if (!response.ok) throw new Error(`the registry answered ${response.status} for ${subject}`);
  return ((await response.json()) as { readonly id: number }).id; // the registry's documented answer
};

/** Runs `npm run replay` as a user does. Answers how many records it read. */
async function replayCommand({ bootstrap, registryUrl }: LogAddress, signal: AbortSignal): Promise<number> {
  const env = {
    ...process.env,
    NODE_NO_WARNINGS: '1',
    KAFKA_BOOTSTRAP: bootstrap,
    REGISTRY_URL: registryUrl,
  };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [TIMELINE, 'replay', '--projection', 'orders', '--json'],
    { env, signal, timeout: REPLAY_TIMEOUT_MS },
  );
  return (JSON.parse(stdout) as { readonly records: number }).records; // what our own program prints
}

/**
 * Replays once as a service does, which registers its schemas, and once with `npm run replay`, which only reads, each
 * through a counting proxy. @param service replays at an address; answers how many events it folded.
 */
export async function countRegistryHits(
  address: LogAddress,
  expected: number,
  service: (address: LogAddress) => Promise<number>,
  { signal, print }: Pick<BenchContext, 'signal' | 'print'>,
): Promise<HitsResult> {
  const subjects = subjectsOf();
  const ids = await Promise.all(subjects.map((subject) => idOf(address.registryUrl, subject)));
  const proxy = await countingProxy(address.registryUrl);
  const behindProxy = { ...address, registryUrl: proxy.url };
  const count = async (replay: string, run: () => Promise<number>): Promise<Asked> => {
    proxy.reset();
    const events = await run();
    if (events !== expected) throw new Error(`${replay}: ${events} events, ${expected} expected`);
    const counts = proxy.counts();
    const requestsPerSchema = subjects.map(
      (subject, index) =>
        (counts.get(`GET /schemas/ids/${String(ids[index])}`) ?? 0) +
        (counts.get(`POST /subjects/${subject}/versions`) ?? 0),
    );
    return { replay, events, requestsPerSchema };
  };
  try {
    const replays = [
      await count('a service', () => service(behindProxy)),
      await count('npm run replay', () => replayCommand(behindProxy, signal)),
    ];
    const result = {
      title: 'Requests to the registry for each schema id during a replay',
      schemas: subjects.length,
      replays,
      holds: replays.every(({ requestsPerSchema }) => requestsPerSchema.every((requests) => requests === 1)),
    };
    print(result.title);
    for (const { replay, events, requestsPerSchema } of replays)
      print(
        `  ${replay}, ${events.toLocaleString('en-US')} events: ${requestsPerSchema.join(' ')}, asked exactly 1 each`,
      );
    print(`  ${result.holds ? 'holds' : 'MISSED'}`);
    return result;
  } finally {
    await proxy.close();
  }
}
