import { parseArgs } from 'node:util';
import { endProcess, watchOutput } from '@parley/cli';
import { EnvironmentError } from '@parley/engines';
import type { BenchContext } from './context.ts';
import { PAIRS_MIN } from './pairs.ts';

const USAGE = `Usage: npm run bench -- <benchmark> [--pairs N] [--rdkafka] [--clients N] [--instances N] [--json]

Measures a claim against a named rival on engines of its own, in alternating pairs.

  flow        orders at 20/s on a whole stack against the sum of their hops; time until SHIPPED
  throughput  orders a second until SHIPPED, against the same flow of plain processes; 1, 8, 32, 128 clients
  append      appends acknowledged by echo against plain kafkajs
  async       events and messages through the brokers: latency, and throughput against the bare clients
  replay      a million recorded events into the order projection against bare kafkajs
  rebuild     a read model rebuilt beside the live one while it is read, against a plain replay
  codec       encoding and decoding of the log's events against bare avsc
  telemetry   what traces, metrics and logs cost an order, against none
  policy      a call under a policy, and the answer of an open breaker, in process
  gateway     a read through the gateway with all policies against the same route of a bare Envoy
  mesh        a call through two sidecars with mutual TLS against the same one without; needs root
  ready       a restart of the order service on a million events against one on ten thousand

  --pairs N   how many pairs, at least ${PAIRS_MIN} (default ${PAIRS_MIN})
  --rdkafka   replay: against node-rdkafka too, which is compiled once (minutes; needs a C++ compiler and OpenSSL)
  --clients N, --instances N   throughput: only the part with so many clients (1 to 512), instances (1 to 8)
  --json      one JSON document on standard output; how it goes is said on standard error

Exit codes: 0 every claim holds, 1 a claim missed its bound or counts did not match, 2 usage, 3 environment.
`;
const exitCodes = { ok: 0, failed: 1, usage: 2, environment: 3 } as const;

/** What a benchmark answers for each of its claims; without `holds`, nothing was asked of it. */
interface Result {
  readonly holds?: boolean;
}

/** Loaded when run: what one of them brings into the process is not to slow another. */
const benchmarks: Readonly<Record<string, (context: BenchContext) => Promise<readonly Result[]>>> = {
  flow: async (context) => (await import('./flow/flow.ts')).benchFlow(context),
  throughput: async (context) => (await import('./throughput/throughput.ts')).benchThroughput(context),
  append: async (context) => (await import('./append/append.ts')).benchAppend(context),
  async: async (context) => (await import('./async/async.ts')).benchAsync(context),
  replay: async (context) => (await import('./replay/replay.ts')).benchReplay(context),
  codec: async (context) => (await import('./codec/codec.ts')).benchCodec(context),
  rebuild: async (context) => (await import('./rebuild/rebuild.ts')).benchRebuild(context),
  telemetry: async (context) => (await import('./telemetry/telemetry.ts')).benchTelemetry(context),
  policy: async (context) => (await import('./policy/policy.ts')).benchPolicy(context),
  gateway: async (context) => (await import('./gateway/gateway.ts')).benchGateway(context),
  mesh: async (context) => (await import('./mesh/mesh.ts')).benchMesh(context),
  ready: async (context) => (await import('./ready/ready.ts')).benchReady(context),
};

/** Aborted by the first signal to stop. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      stop.abort(new Error(`stopped by ${name}`));
    });
  return stop.signal;
}

const CLIENTS_MAX = 512;
const INSTANCES_MAX = 8;

/** A whole number from 1 as it was typed; undefined when it was not, null when it is none. */
const countFrom = (typed: string | undefined, max: number): number | undefined | null => {
  if (typed === undefined) return undefined;
  const count = Number(typed);
  return Number.isInteger(count) && count >= 1 && count <= max ? count : null;
};

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      pairs: { type: 'string', default: String(PAIRS_MIN) },
      rdkafka: { type: 'boolean', default: false },
      clients: { type: 'string' },
      instances: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return exitCodes.ok;
  }
  const [name = '', ...others] = positionals;
  const benchmark = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined;
  const pairs = Number(values.pairs);
  const clients = countFrom(values.clients, CLIENTS_MAX);
  const instances = countFrom(values.instances, INSTANCES_MAX);
  if (
    benchmark === undefined ||
    others.length > 0 ||
    !Number.isInteger(pairs) ||
    pairs < PAIRS_MIN ||
    clients === null ||
    instances === null
  ) {
    process.stderr.write(USAGE);
    return exitCodes.usage;
  }
  const print = (line: string): void => {
    (values.json ? process.stderr : process.stdout).write(`${line}\n`);
  };
  const results = await benchmark({
    pairs,
    rdkafka: values.rdkafka,
    clients,
    instances,
    print,
    signal: stopSignal(),
  });
  if (values.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  return results.every((result) => result.holds !== false) ? exitCodes.ok : exitCodes.failed;
}

const isUsageError = (error: unknown): boolean =>
  error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');

const stop = (): void => {
  if (!process.emit('SIGHUP')) process.exit(exitCodes.failed);
};
watchOutput({ closed: stop, failed: stop });

let exitCode: number;
try {
  exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  if (isUsageError(error)) process.stderr.write(USAGE);
  exitCode = isUsageError(error)
    ? exitCodes.usage
    : error instanceof EnvironmentError
      ? exitCodes.environment
      : exitCodes.failed;
}
// Work that a failed or stopped benchmark left behind must not keep the process: everything it started is stopped.
await endProcess(exitCode);
