import { loadConfigWith } from '../config.ts';
import type { LateRefusals } from '../deadline.ts';
import type { Logger } from '../logging.ts';
import type { OpsRoute } from '../ops.ts';
import { countBreakerChanges, observePolicies } from './observe.ts';
import { createPolicy, type Policy } from './policy.ts';
import { type PolicyDefaults, policyFromEnv } from './settings.ts';

/** The policies of one process, by name. */
export interface Policies {
  /**
   * The policy of this name, which must not exist yet: settings from the environment (`POLICY_<NAME>_…`), the defaults
   * for the rest. Settings that cannot be used end the process with 3. Every change of its breaker is a log line, and counted.
   */
  readonly policy: (name: string, defaults: PolicyDefaults) => Policy;
  /** `GET /ops/policies`. */
  readonly routes: readonly OpsRoute[];
}

export const policiesOf = (options: {
  readonly logger: Logger;
  readonly late: LateRefusals;
  readonly env: Readonly<Record<string, string | undefined>>;
}): Policies => {
  const { logger, late, env } = options;
  const policies = new Map<string, Policy>();
  observePolicies(() => policies.values());
  return {
    policy: (name, defaults) => {
      if (policies.has(name)) throw new Error(`there is already a policy called ${name}`);
      const settings = loadConfigWith(() => policyFromEnv(name, defaults, env));
      const policy = createPolicy({ name, ...settings });
      countBreakerChanges(policy);
      policy.onBreakerChange(({ from, to }) => {
        const { counts, lastFailures, nextProbeAt } = policy.status();
        const reason = to === 'closed' ? undefined : lastFailures.at(-1)?.reason;
        logger.warn(
          { policy: name, from, to, reason, nextProbeAt, failedAttempts: counts.failedAttempts },
          'breaker changed',
        );
      });
      policies.set(name, policy);
      return policy;
    },
    routes: [
      {
        method: 'GET',
        path: '/ops/policies',
        answer: () =>
          Promise.resolve({
            kind: 'ok',
            body: { policies: [...policies.values()].map((policy) => policy.status()), refusedLate: late },
          }),
      },
    ],
  };
};
