import { z } from 'zod';

const FAULTS_MAX = 20;
const LATENCY_MS_MAX = 60_000;
const FOR_MS_MAX = 3_600_000;
const CALLS_MAX = 1_000_000;

/** What is made to go wrong, on purpose and in development only. */
export const Fault = z
  .object({
    /** What it is for: `POST /api/v1/payments`, or a gRPC method as `/package.Service/Method`. Absent: everything. */
    route: z.string().min(1).max(200).optional(),
    /** Added before anything else happens, to every call that meets the fault. */
    latencyMs: z.int().min(0).max(LATENCY_MS_MAX).default(0),
    /** What happens then: `none` only waits, `error` answers with the status, `hang` never does, `reset` cuts the connection. */
    failure: z.enum(['none', 'error', 'hang', 'reset']).default('error'),
    /** HTTP status of an `error`; a gRPC method answers with its counterpart. The answer names no code. */
    status: z.int().min(400).max(599).default(503),
    /** Share of the calls that fail; the others only wait. */
    errorRate: z.number().min(0).max(1).default(1),
    /** Ends after so many calls, or so many milliseconds. Absent: until it is taken away. */
    calls: z.int().min(1).max(CALLS_MAX).optional(),
    forMs: z.int().min(1).max(FOR_MS_MAX).optional(),
  })
  .strict();
export type Fault = z.output<typeof Fault>;

/** Body of `PUT /ops/faults`: all faults of the process; an empty list takes them away. */
export const Faults = z.object({ faults: z.array(Fault).max(FAULTS_MAX) }).strict();
