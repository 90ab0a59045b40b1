import { attribute, metricDefinitions } from '@parley/contracts/telemetry';
import type { OpsRoute } from '../ops.ts';
import { meter } from '../telemetry/instruments.ts';
import type { Discovery } from './discovery.ts';

/** `GET /ops/discovery`: whom this instance would call, how old that knowledge is, and whether it is listed itself. */
export const discoveryRoute = (discovery: Discovery): OpsRoute => ({
  method: 'GET',
  path: '/ops/discovery',
  answer: () => Promise.resolve({ kind: 'ok', body: discovery.report() }),
});

/**
 * Observes the age of the list, in seconds, nothing while no registry has confirmed one; and for how long services that
 * the registry has lost are called by their last known instances.
 */
export const observeDiscovery = (discovery: Discovery): void => {
  const { discoveryAge, discoveryStale } = metricDefinitions;
  meter()
    .createObservableGauge(discoveryAge.name, discoveryAge)
    .addCallback((result) => {
      const { ageMs } = discovery.report();
      if (ageMs !== null) result.observe(ageMs / 1_000);
    });
  meter()
    .createObservableGauge(discoveryStale.name, discoveryStale)
    .addCallback((result) => {
      for (const [service, staleMs] of Object.entries(discovery.report().staleMs))
        result.observe(staleMs / 1_000, { [attribute.peerService]: service });
    });
};
