import { z } from 'zod';

const offset = z.int().nonnegative();

/** One read model of one service, as its operations port tells it. Everything but `ends` is of one instant. */
export const OpsProjection = z.object({
  name: z.string(),
  topic: z.string(),
  /** The next offset to be read, by partition. */
  positions: z.array(offset),
  /** The end of the log, by partition, at most one second old. */
  ends: z.array(offset),
  /** Records between the positions and the ends. */
  lag: z.int().nonnegative(),
  /** SHA-256 over all rows, hexadecimal: equal for equal rows, whatever the order of arrival. */
  stateHash: z.string().regex(/^[0-9a-f]{64}$/),
  rows: z.int().nonnegative(),
  /** Accepted events of the topic, those of a type that this release does not know included. */
  applied: z.int().nonnegative(),
  /** Records of commits that lost. */
  conflicts: z.int().nonnegative(),
  /** Records of further copies of accepted commits. */
  duplicates: z.int().nonnegative(),
  /** Records that no reader can read. */
  badRecords: z.int().nonnegative(),
  /** Accepted events of a type that this release does not know: passed over. */
  skippedTypes: z.int().nonnegative(),
  /** Accepted events that a fold of the topic threw on and that are left out of it. */
  failedFolds: z.int().nonnegative(),
  /**
   * Present once the reader of the topic has stood still for a while although the log has more: what it waits for. Then
   * `/readyz` is 503, too.
   */
  waitingFor: z.string().optional(),
  /** True while the same view is built anew beside the live one. */
  rebuilding: z.boolean(),
  /** Present while it is: the next offset to be read again, and where the live view is, by partition. */
  rebuild: z.object({ positions: z.array(offset), live: z.array(offset) }).optional(),
});
export type OpsProjection = z.infer<typeof OpsProjection>;

/** Answer of `GET /ops/projections`. */
export const OpsProjections = z.object({ projections: z.array(OpsProjection) });
export type OpsProjections = z.infer<typeof OpsProjections>;

/** Most rows of one page of `GET /ops/projections/{name}/rows`, and how many come when none is asked for. */
export const OPS_ROWS_MAX = 1000;

/** Answer of `GET /ops/projections/{name}/rows?after=&limit=`: a page in key order, and where it was read at. */
export const OpsProjectionRows = z.object({
  name: z.string(),
  topic: z.string(),
  /** The rows are those of a replay to exactly these offsets. Two pages may differ in them. */
  positions: z.array(offset),
  rows: z.array(z.object({ key: z.string(), row: z.unknown() })),
  /** Absent on the last page. */
  nextAfter: z.string().optional(),
});
export type OpsProjectionRows = z.infer<typeof OpsProjectionRows>;

/**
 * Answer of `POST /ops/projections/{name}/rebuild`, when the rebuilt view is the live one. While another rebuild of the
 * same topic runs it is 409 CONFLICT; 503 NOT_READY when it was given up and nothing was changed.
 */
export const OpsRebuild = z.object({
  name: z.string(),
  topic: z.string(),
  /** Where both views were when they were swapped: the next offset to be read, by partition. */
  positions: z.array(offset),
  rows: z.int().nonnegative(),
  /** Accepted events that were read again. */
  events: z.int().nonnegative(),
  tookMs: z.int().nonnegative(),
  /** True when the live view was not what the log says. */
  differed: z.boolean(),
  /** Present when they differed: how many rows, at most 20 of their keys, and the state hash of either view. */
  difference: z
    .object({
      rows: z.int().positive(),
      keys: z.array(z.string()),
      liveHash: z.string(),
      rebuiltHash: z.string(),
    })
    .optional(),
});
export type OpsRebuild = z.infer<typeof OpsRebuild>;

const isoTime = z.iso.datetime();

/** One policy of a service: what a call to a dependency may cost, and what has happened (docs/resilience.md). */
export const OpsPolicy = z.object({
  name: z.string(),
  /** Of the breaker; 'closed' for a policy without one. */
  state: z.enum(['closed', 'open', 'half-open']),
  /** Present while it is open: when it will let the next probe through. */
  nextProbeAt: isoTime.optional(),
  counts: z.object({
    calls: z.int().nonnegative(),
    attempts: z.int().nonnegative(),
    retries: z.int().nonnegative(),
    failedAttempts: z.int().nonnegative(),
    /** Calls that the policy ended without an answer, by why. */
    refused: z.record(z.enum(['breaker-open', 'bulkhead-full', 'timeout']), z.int().nonnegative()),
    retriesOverBudget: z.int().nonnegative(),
    fallbacks: z.int().nonnegative(),
    opened: z.int().nonnegative(),
  }),
  retryBudgetLeft: z.int().nonnegative(),
  /** The newest last. */
  lastFailures: z.array(z.object({ at: isoTime, reason: z.string() })),
  settings: z.looseObject({
    timeoutMs: z.number(),
    retries: z.int(),
    retryDelayMs: z.number(),
    retryDelayMsMax: z.number(),
    retryBudgetShare: z.number(),
    retryBudgetReserve: z.int(),
    breaker: z.enum(['none', 'consecutive', 'sampling']),
    breakerFailures: z.int(),
    breakerWaitMs: z.number(),
    breakerProbes: z.int(),
  }),
});
export type OpsPolicy = z.infer<typeof OpsPolicy>;

/** Answer of `GET /ops/policies`. */
export const OpsPolicies = z.object({
  policies: z.array(OpsPolicy),
  /** Work that was not begun because its deadline had passed, by protocol. */
  refusedLate: z.object({ http: z.int().nonnegative(), grpc: z.int().nonnegative() }),
});

/** A fault on purpose, in development. */
export const OpsFault = z.object({
  /** `METHOD /route` or a gRPC path; absent: everything. */
  route: z.string().optional(),
  latencyMs: z.int().nonnegative(),
  failure: z.enum(['none', 'error', 'hang', 'reset']),
  /** HTTP status of an error. */
  status: z.int(),
  errorRate: z.number(),
  /** It ends after so many calls or milliseconds. */
  calls: z.int().optional(),
  forMs: z.int().optional(),
  callsLeft: z.int().optional(),
  msLeft: z.int().optional(),
});
export type OpsFault = z.infer<typeof OpsFault>;

/** Answer of `GET` and `PUT /ops/faults`; the body of the latter has the faults without what is left of them. */
export const OpsFaults = z.object({ faults: z.array(OpsFault) });
