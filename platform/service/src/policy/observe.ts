import type { BatchObservableResult } from '@opentelemetry/api';
import { attribute, metricDefinitions } from '@parley/contracts/telemetry';
import { counterOf, meter } from '../telemetry/instruments.ts';
import type { BreakerState } from './breaker.ts';
import type { Policy } from './policy.ts';

const STATES: readonly BreakerState[] = ['closed', 'half-open', 'open'];

/** Observes state and counts of policies, read when they are asked for. */
export const observePolicies = (policies: () => Iterable<Policy>): void => {
  const { policyCalls, policyRetries, breakerState } = metricDefinitions;
  const calls = meter().createObservableCounter(policyCalls.name, policyCalls);
  const retries = meter().createObservableCounter(policyRetries.name, policyRetries);
  const breaker = meter().createObservableGauge(breakerState.name, breakerState);
  const observe = (result: BatchObservableResult): void => {
    for (const policy of policies()) {
      const { name, counts, state } = policy.status();
      const labels = { [attribute.policy]: name };
      const refused = Object.entries(counts.refused);
      const ended = counts.calls - refused.reduce((sum, [, count]) => sum + count, 0);
      result.observe(calls, Math.max(0, ended), { ...labels, [attribute.outcome]: 'ended' });
      for (const [reason, count] of refused)
        result.observe(calls, count, { ...labels, [attribute.outcome]: reason });
      result.observe(retries, counts.retries, labels);
      for (const each of STATES)
        result.observe(breaker, each === state ? 1 : 0, { ...labels, [attribute.breakerState]: each });
    }
  };
  meter().addBatchObservableCallback(observe, [calls, retries, breaker]);
};

/** Counts the changes of a policy's breaker. Every state has its series at once, so that a rate sees the first change. */
export const countBreakerChanges = (policy: Policy): void => {
  const changes = counterOf(metricDefinitions.breakerChanges);
  const count = (state: BreakerState, times: number): void => {
    changes.add(times, { [attribute.policy]: policy.name, [attribute.breakerState]: state });
  };
  for (const state of STATES) count(state, 0);
  policy.onBreakerChange(({ to }) => {
    count(to, 1);
  });
};
