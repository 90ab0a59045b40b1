/** What the console's server answers its page. Both sides take the shapes from here. */
import { z } from 'zod';

/** Whether something answers. `detail` says what it waits for, or why it could not be asked. */
const Health = z.object({ up: z.boolean(), detail: z.string().optional() });

export const InstanceState = Health.extend({
  id: z.string(),
  service: z.string(),
  version: z.string(),
  http: z.string(),
  ops: z.string(),
});
export type InstanceState = z.infer<typeof InstanceState>;

export const EngineState = Health.extend({
  name: z.string(),
  version: z.string().optional(),
  /** Where a person looks at it, else where it listens. */
  address: z.string(),
});
export type EngineState = z.infer<typeof EngineState>;

/** Answer of `GET /api/stack`. */
export const StackState = z.object({
  /** Milliseconds since the epoch. */
  checkedAtMs: z.number(),
  instances: z.array(InstanceState),
  engines: z.array(EngineState),
  links: z.array(z.object({ label: z.string(), url: z.string() })),
  /** Base URL of Prometheus, when the stack has one. */
  metricsUrl: z.string().optional(),
  /** A trace is at `<tracesUrl>traces/<trace id>`. */
  tracesUrl: z.string().optional(),
});
export type StackState = z.infer<typeof StackState>;

const Row = z.object({
  id: z.string(),
  text: z.string(),
  verdict: z.enum(['proven', 'not proven']),
  reason: z.string().optional(),
  proofs: z.array(
    z.object({
      file: z.string(),
      title: z.string(),
      durationMs: z.number(),
      evidence: z.array(z.record(z.string(), z.unknown())),
    }),
  ),
});
export type LedgerRow = z.infer<typeof Row>;

/** The file that a run of the end-to-end tests writes. */
export const LedgerFile = z.object({
  generatedAt: z.iso.datetime().optional(),
  proven: z.number(),
  total: z.number(),
  tests: z.object({ passed: z.number(), failed: z.number(), skipped: z.number() }),
  rows: z.array(Row),
});

/** Answer of `GET /api/ledger`. */
export const LedgerState = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('none') }),
  /** `writtenAtMs`: when the run ended, in milliseconds since the epoch. */
  z.object({ kind: z.literal('ledger'), writtenAtMs: z.number(), ledger: LedgerFile }),
]);
export type LedgerState = z.infer<typeof LedgerState>;

/** Answer of `POST /api/orders`: what the gateway said to an order of one piece of the first product. */
export const PlacedOrder = z.object({
  httpStatus: z.number(),
  latencyMs: z.number(),
  traceId: z.string(),
  orderId: z.string().optional(),
  /** The order's status, or the code of a refusal. */
  outcome: z.string(),
  detail: z.string().optional(),
});
export type PlacedOrder = z.infer<typeof PlacedOrder>;
