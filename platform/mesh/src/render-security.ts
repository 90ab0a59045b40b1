import { serviceNames } from '@parley/contracts/endpoints';
import type { MeshPolicy } from './policy.ts';
import { resource, type Resource } from './resources.ts';
import { meshNames } from './topology.ts';

const security = 'security.istio.io/v1';

const principal = (account: string): string =>
  `${meshNames.trustDomain}/ns/${meshNames.namespace}/sa/${account}`;

/** Encryption for the whole mesh, and for each service who may call it. A service that nobody may call has no rule, which refuses all. */
export const renderSecurity = ({ mtls, allow }: MeshPolicy): readonly Resource[] => [
  resource({
    apiVersion: security,
    kind: 'PeerAuthentication',
    name: 'default',
    namespace: meshNames.rootNamespace, // for every namespace
    body: { spec: { mtls: { mode: mtls } } },
  }),
  ...serviceNames.map((service) => {
    const callers = allow.filter(({ to }) => to === service).flatMap(({ from }) => from);
    return resource({
      apiVersion: security,
      kind: 'AuthorizationPolicy',
      name: service,
      body: {
        spec: {
          selector: { matchLabels: { app: service } },
          action: 'ALLOW',
          ...(callers.length === 0
            ? {}
            : { rules: [{ from: [{ source: { principals: callers.map(principal) } }] }] }),
        },
      },
    });
  }),
];
