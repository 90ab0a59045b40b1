/**
 * `bench gateway`: a read of the order service through a stack's gateway with all its policies, against the same read
 * through a bare Envoy, and against the service itself. Same Envoy, same service; one of the two checks a token, tells
 * clients apart, counts, traces and logs.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Endpoints } from '@parley/contracts/endpoints';
import { httpHeaders } from '@parley/contracts/headers';
import { processesOf } from '@parley/engines/process';
import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import { applyPolicy, policyFrom } from '@parley/gateway-config';
import { engineHostWith, mintTokenIn, rendererOf, withOwnStack } from '@parley/launcher';
import { untilAborted, type BenchContext } from '../context.ts';
import { describeLimit, limitOf, type LimitResult } from '../limit.ts';
import { describe, percentile, runClaim, type ClaimResult, type Measured, type Side } from '../pairs.ts';
import { pidsOf, processorMs } from '../processor-time.ts';
import { bareEnvoy } from './bare-envoy.ts';
import { getRequest, load } from './load.ts';

const RATIO_MAX = 1.2;
const ADDED_MS_MAX = 1;
const SUBJECTS = Array.from({ length: 8 }, (_, n) => `bench-${n}`);
const TOKEN_TTL_SECONDS = 3600;
const PATH = '/api/v1/orders?limit=1';
const UNTRACED = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`;
const ROUNDS = [
  { clients: 1, calls: 1_500 },
  { clients: 32, calls: 6_000 },
] as const;
/** A limit that this load stays below. What a counted request costs does not depend on it. */
const wideLimit = policyFrom('{"limits": {"client": {"requests": 100000}}}');

/** Somewhere to read from, and what is sent to it. */
interface Target {
  readonly name: string;
  readonly port: number;
  readonly requests: readonly Buffer[];
  /** Of the proxy that is asked; none when the service is. */
  readonly proxy: readonly number[];
}

/** What works for every read besides the proxy, by the name under which its processor time is reported. */
type Others = Readonly<Record<string, readonly number[]>>;

type Result = ClaimResult | LimitResult;

const measure = async (
  { port, proxy, requests }: Target,
  others: Others,
  { clients, calls }: (typeof ROUNDS)[number],
): Promise<Measured> => {
  const working = Object.entries({ proxy, ...others });
  const spentMs = working.map(([, pids]) => processorMs(pids));
  const startedAt = performance.now();
  const latenciesMs = await load({ port, requests, clients, calls });
  const elapsedS = (performance.now() - startedAt) / 1000;
  const processorUs = working.map(([name, pids], n): [string, number] => [
    `${name}ProcessorUs`,
    (1000 * (processorMs(pids) - (spentMs[n] ?? 0))) / calls,
  ]);
  return {
    figure: percentile(latenciesMs, 0.5),
    count: latenciesMs.length,
    expected: calls,
    also: {
      p99Ms: percentile(latenciesMs, 0.99),
      perSecond: calls / elapsedS,
      ...Object.fromEntries(processorUs),
    },
  };
};

interface Targets {
  readonly gateway: Target;
  readonly bare: Target;
  readonly service: Target;
  readonly others: Others;
}

const compare = async (
  { gateway, bare, service, others }: Targets,
  context: BenchContext,
): Promise<Result[]> => {
  const { print, signal } = context;
  const results: Result[] = [];
  const addedMs: number[] = [];
  for (const round of ROUNDS) {
    const run = (target: Target): Promise<Measured> => untilAborted(signal, measure(target, others, round));
    const through: Side = { name: gateway.name, run: () => run(gateway) };
    /** With one client, the service itself is read right behind: what the gateway adds is a difference of one moment. */
    const andDirect: Side = {
      name: gateway.name,
      run: async () => {
        const measured = await run(gateway);
        const direct = await run(service);
        addedMs.push(measured.figure - direct.figure);
        return { ...measured, also: { ...measured.also, serviceItselfMs: direct.figure } };
      },
    };
    const title = `A read through the gateway against one through a bare Envoy, ${round.clients} at a time`;
    print(title);
    const claim = await runClaim(
      {
        title,
        unit: 'ms (p50)',
        bound: { atMost: RATIO_MAX },
        a: round.clients === 1 ? andDirect : through,
        b: { name: bare.name, run: () => run(bare) },
      },
      context,
    );
    print(describe(claim));
    results.push(claim);
  }
  const added = limitOf(
    'What the gateway adds to the service itself, one at a time, p50 of each round',
    addedMs.slice(1).map((ms) => [ms]), // the first is the warm-up's
    { quantile: 0.5, unit: 'ms', atMost: ADDED_MS_MAX },
  );
  print(describeLimit(added));
  return [...results, added];
};

const portOf = (url: string): number => Number(new URL(url).port);

const startBare = (servicePort: number): Promise<TestEngines> =>
  startTestEngines({
    only: ['envoy'],
    envoyConfig: ({ ports: { gateway, gatewayAdmin } }) =>
      bareEnvoy({ port: gateway, adminPort: gatewayAdmin, upstreamPort: servicePort }),
  });

const measureOn = async (endpointsPath: string, context: BenchContext): Promise<Result[]> => {
  const { gateway, order } = Endpoints.parse(JSON.parse(await readFile(endpointsPath, 'utf8')));
  const runDir = dirname(endpointsPath);
  const jwks = await readFile(join(runDir, 'gateway/jwks.json'), 'utf8');
  await applyPolicy(join(runDir, 'gateway/policy'), { policy: wideLimit, jwks }, gateway.admin);
  const tokens = await Promise.all(
    SUBJECTS.map((sub) => mintTokenIn({ runDir, sub, ttlSeconds: TOKEN_TTL_SECONDS })),
  );
  // Behind the gateway a service is told who asks, and whether to trace; without one, its caller has to say. It never
  // does trace then: what the spans of those few requests cost that the gateway has traced is the gateway's.
  const told = SUBJECTS.map((sub) =>
    getRequest(PATH, { [httpHeaders.userId]: sub, [httpHeaders.traceparent]: UNTRACED }),
  );
  const servicePort = portOf(order.http);
  const bare = await startBare(servicePort);
  try {
    return await compare(
      {
        gateway: {
          name: 'the gateway, all policies',
          port: portOf(gateway.url),
          requests: tokens.map((token) => getRequest(PATH, { authorization: `Bearer ${token}` })),
          proxy: processesOf(runDir, 'envoy'),
        },
        bare: {
          name: 'a bare Envoy',
          port: bare.ports.gateway,
          requests: told,
          proxy: [bare.engine('envoy').pid],
        },
        service: { name: 'the service itself', port: servicePort, requests: told, proxy: [] },
        others: {
          service: pidsOf(runDir, [{ id: 'order-1' }]),
          zipkin: processesOf(runDir, 'zipkin'),
          logEngine: processesOf(runDir, 'victoria-logs'),
          // Ours: the client, and the launcher, which carries the lines of gateway and service to the log engine.
          client: [process.pid],
        },
      },
      context,
    );
  } finally {
    await bare.stop();
  }
};

/** Starts a stack and an Envoy of its own, measures, stops them. */
export const benchGateway = (context: BenchContext): Promise<Result[]> => {
  const { print, signal } = context;
  return withOwnStack(
    {
      engines: engineHostWith(rendererOf),
      output: { line: print, good: print, bad: print, dim: print },
      signal,
      keep: false,
    },
    ({ PARLEY_ENDPOINTS: endpoints = '' }) => measureOn(endpoints, context),
  );
};
