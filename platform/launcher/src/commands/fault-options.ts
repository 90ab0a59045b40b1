import type { OpsFault } from '@parley/contracts/rest';
import { CommandError, exitCodes } from '../cli/exit.ts';

/** Options of `npm run fault`, for parseArgs. */
export const faultOptions = {
  route: { type: 'string' },
  latency: { type: 'string' },
  'error-rate': { type: 'string' },
  status: { type: 'string' },
  hang: { type: 'boolean' },
  reset: { type: 'boolean' },
  for: { type: 'string' },
  calls: { type: 'string' },
  instance: { type: 'string' },
  clear: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

type Values = Readonly<Partial<Record<keyof typeof faultOptions, string | boolean | undefined>>>;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

const usage = (message: string): CommandError => new CommandError(exitCodes.usage, message);

const timeMs = (values: Values, name: 'latency' | 'for'): number | undefined => {
  const text = values[name];
  if (typeof text !== 'string') return undefined;
  const [, digits = '', unit = ''] = /^(\d{1,6})(ms|s|m)$/.exec(text) ?? [];
  if (digits === '') throw usage(`--${name} must be a time such as 200ms, 30s or 5m, not ${text}`);
  return Number(digits) * (unitMs[unit] ?? 1);
};

const numberOf = (values: Values, name: 'error-rate' | 'status' | 'calls'): number | undefined => {
  const text = values[name];
  if (typeof text !== 'string') return undefined;
  if (!/^\d{1,7}(\.\d{1,7})?$/.test(text)) throw usage(`--${name} must be a number, not ${text}`);
  return Number(text);
};

const failureOf = (values: Values): OpsFault['failure'] | undefined => {
  if (values.hang === true && values.reset === true) throw usage('either --hang or --reset');
  if (values.hang === true) return 'hang';
  if (values.reset === true) return 'reset';
  const onlyWaits =
    values.latency !== undefined && values.status === undefined && values['error-rate'] === undefined;
  return onlyWaits ? 'none' : undefined;
};

/**
 * The faults that the options ask for: none to take them away, undefined when nothing is asked. Whether the values can be
 * is for the service to say. Throws CommandError for wrong usage.
 */
export const faultOf = (values: Values): readonly Partial<OpsFault>[] | undefined => {
  const asked = Object.entries({
    route: typeof values.route === 'string' ? values.route : undefined,
    latencyMs: timeMs(values, 'latency'),
    failure: failureOf(values),
    status: numberOf(values, 'status'),
    errorRate: numberOf(values, 'error-rate'),
    calls: numberOf(values, 'calls'),
    forMs: timeMs(values, 'for'),
  } satisfies { readonly [Key in keyof OpsFault]?: OpsFault[Key] | undefined });
  const given = asked.filter(([, value]) => value !== undefined);
  if (values.clear === true) {
    if (given.length > 0) throw usage('--clear takes all faults away: it goes with no other');
    return [];
  }
  return given.length === 0 ? undefined : [Object.fromEntries(given)];
};
