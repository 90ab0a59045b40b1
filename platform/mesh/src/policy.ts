import { serviceNames } from '@parley/contracts/endpoints';
import { z } from 'zod';

const percent = z.number().min(0).max(100);
/** A DNS label: what Kubernetes takes for a name, and Istio for a subset. */
const label = z.string().regex(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/);
const milliseconds = z.int().min(1).max(600_000);
const service = z.enum(serviceNames);

/** Callers that are no service of ours: the gateway in front, and a client for tests and measurements. */
export const callerNames = ['gateway', 'client'] as const;

/** What a request must be for a rule to take it; every given field must hold. */
const Match = z
  .strictObject({
    header: z.strictObject({ name: z.string().regex(/^[a-z0-9-]+$/), value: z.string().min(1) }).optional(),
    pathPrefix: z.string().startsWith('/').optional(),
  })
  .refine((match) => match.header !== undefined || match.pathPrefix !== undefined, 'matches nothing');

/** Where a rule sends what it takes: the share in percent for each version. */
const Split = z
  .array(z.strictObject({ version: label, weight: z.int().min(0).max(100) }))
  .min(1)
  .refine((parts) => parts.reduce((sum, { weight }) => sum + weight, 0) === 100, 'weights must add up to 100')
  .refine((parts) => new Set(parts.map(({ version }) => version)).size === parts.length, 'a version twice');

/** One rule for the requests to a service. Times are in milliseconds, shares in percent. */
export const TrafficRule = z.strictObject({
  name: label,
  when: Match.optional(),
  split: Split,
  /** A copy of each request goes to this version too; its answer is thrown away. */
  mirror: z.strictObject({ version: label, percent }).optional(),
  delay: z.strictObject({ delayMs: milliseconds, percent }).optional(),
  abort: z.strictObject({ httpStatus: z.int().min(200).max(599), percent }).optional(),
  timeoutMs: milliseconds.optional(),
  /** Absent: Istio's own two retries of what certainly did not reach the service. */
  retries: z
    .strictObject({ attempts: z.int().min(0).max(5), perTryTimeoutMs: milliseconds.optional() })
    .optional(),
});
export type TrafficRule = z.infer<typeof TrafficRule>;

/** The rules of one service, first match first. Only the last one may match everything: what stood behind it would never apply. */
const Traffic = z.strictObject({
  service,
  /** A caller's sidecar makes a new connection, and so shows its certificate again, after so many requests. Absent: it keeps them. */
  requestsPerConnectionMax: z.int().min(1).max(100_000).optional(),
  rules: z
    .array(TrafficRule)
    .min(1)
    .refine(
      (rules) => rules.every((rule, index) => (rule.when === undefined) === (index === rules.length - 1)),
      'the last rule, and only that one, must have no condition',
    )
    .refine((rules) => new Set(rules.map(({ name }) => name)).size === rules.length, 'a name twice'),
});

/** Everything that the mesh decides about calls between services. */
export const MeshPolicy = z.strictObject({
  mtls: z.enum(['STRICT', 'PERMISSIVE']),
  tracing: z.strictObject({ samplePercent: percent }),
  /** Services without an entry get all their instances in equal shares. */
  traffic: z
    .array(Traffic)
    .refine(
      (entries) => new Set(entries.map((entry) => entry.service)).size === entries.length,
      'a service twice',
    ),
  /** Who may call a service, by identity; everybody else is answered 403. Absent services may not be called at all. */
  allow: z.array(
    z.strictObject({ to: service, from: z.array(z.enum([...serviceNames, ...callerNames])).min(1) }),
  ),
});
export type MeshPolicy = z.infer<typeof MeshPolicy>;

/** A policy that can be used, or every place where it is wrong and why, one to a line. */
export type ParsedPolicy =
  | { readonly ok: true; readonly policy: MeshPolicy }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads a policy from data of unknown origin, such as a JSON file. */
export const parsePolicy = (data: unknown): ParsedPolicy => {
  const parsed = MeshPolicy.safeParse(data);
  if (parsed.success) return { ok: true, policy: parsed.data };
  return {
    ok: false,
    problems: parsed.error.issues.map(({ path, message }) => `${path.join('.') || '(policy)'}: ${message}`),
  };
};
