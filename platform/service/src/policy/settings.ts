import { z } from 'zod';
import { type ParsedConfig, parseConfig } from '../config.ts';

const whole = (max: number, min = 0): z.ZodType<number> => z.int().min(min).max(max);
const ms = whole(600_000, 1);
const count = whole(100_000, 1);
const share = z.number().min(0).max(1);

/** What a call to a dependency may cost, and what happens when it fails. */
const PolicySettings = z.object({
  /** Limit of one attempt. */
  timeoutMs: ms,
  /** Further attempts of an idempotent call. */
  retries: whole(10),
  /** About the first pause; later ones grow by two, all of them with decorrelated jitter. */
  retryDelayMs: ms,
  retryDelayMsMax: ms,
  /** A peer that asks for a longer pause (Retry-After) than this is not asked again by the same call. */
  retryAfterMsMax: whole(600_000),
  /** Retries that may be made for each call, over all calls: an outage is not multiplied. */
  retryBudgetShare: share,
  /** Retries that may be made beyond that share after a quiet time. */
  retryBudgetReserve: count,
  /** What opens the breaker: failures in a row, or a share of the calls of a time. */
  breaker: z.enum(['none', 'consecutive', 'sampling']),
  /** Consecutive: so many in a row. */
  breakerFailures: count,
  /** Sampling: this share of the calls within the time, if there were so many a second. */
  breakerShare: z.number().gt(0).lt(1),
  breakerSampleMs: ms,
  breakerPerSecondMin: count,
  /** How long an open breaker asks nobody before it lets probes through. */
  breakerWaitMs: ms,
  /** Calls that are let through while it is half-open; all of them must succeed. */
  breakerProbes: whole(100, 1),
  /** Calls under way at the same time, and how many more may wait for a place. */
  concurrentMax: count,
  queueMax: whole(100_000),
});
export type PolicySettings = z.infer<typeof PolicySettings>;

/** Settings of a policy that says nothing else. */
export const policyDefaults: Omit<PolicySettings, 'timeoutMs'> = {
  retries: 0,
  retryDelayMs: 50,
  retryDelayMsMax: 400,
  retryAfterMsMax: 2_000,
  retryBudgetShare: 0.2,
  retryBudgetReserve: 10,
  breaker: 'none',
  breakerFailures: 5,
  breakerShare: 0.5,
  breakerSampleMs: 10_000,
  breakerPerSecondMin: 5,
  breakerWaitMs: 2_000,
  breakerProbes: 1,
  concurrentMax: 1_000,
  queueMax: 0,
};

/** What somebody who builds a policy must say; the rest has defaults. */
export type PolicyDefaults = Partial<PolicySettings> & Pick<PolicySettings, 'timeoutMs'>;

/** Refuses settings out of range and quotes the value. */
export const checkedSettings = (defaults: PolicyDefaults): PolicySettings => {
  const parsed = PolicySettings.safeParse({ ...policyDefaults, ...defaults });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const key = String(issue?.path[0]);
  const value = (defaults as Readonly<Record<string, unknown>>)[key];
  throw new RangeError(`${key}: ${issue?.message ?? 'is wrong'}, not ${String(value)}`);
};

const snake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

/** Environment key of a setting: `POLICY_PAYMENT_TIMEOUT_MS`. */
export const policyKey = (policy: string, setting: keyof PolicySettings): string =>
  `POLICY_${snake(policy)}_${snake(setting)}`;

const decimal = z
  .string()
  .regex(/^\d{1,9}(\.\d{1,9})?$/, 'must be a decimal number')
  .transform(Number);

/** The settings of a policy: those of the environment before the defaults of whoever asks. Keys that no policy has are bad, too. */
export const policyFromEnv = (
  policy: string,
  defaults: PolicyDefaults,
  env: Readonly<Record<string, string | undefined>>,
): ParsedConfig<PolicySettings> => {
  const values: Readonly<Record<string, string | number>> = checkedSettings(defaults);
  const shape: Record<string, z.ZodType> = {};
  const settings = Object.entries(PolicySettings.shape) as [keyof PolicySettings, z.ZodType][];
  for (const [setting, type] of settings) {
    const fromText = setting === 'breaker' ? type : decimal.pipe(type as z.ZodType<unknown, number>);
    shape[policyKey(policy, setting)] = fromText.default(values[setting]);
  }
  const prefix = `POLICY_${snake(policy)}_`;
  const unknown = Object.keys(env).filter((key) => key.startsWith(prefix) && !(key in shape));
  const parsed = parseConfig(z.object(shape), env);
  const problems = [
    ...(parsed.ok ? [] : parsed.problems),
    ...unknown.map((key) => `${key}: is no setting of a policy`),
  ];
  if (!parsed.ok || problems.length > 0) return { ok: false, problems };
  const config = Object.fromEntries(
    settings.map(([setting]) => [setting, parsed.config[policyKey(policy, setting)]]),
  );
  return { ok: true, config: PolicySettings.parse(config) };
};
