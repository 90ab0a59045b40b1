import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceNames } from '@parley/contracts/endpoints';
import { apisixKeys } from '../apisix/keys.ts';
import { renderApisix, renderApisixConfig } from '../apisix/render.ts';
import type { Address } from '../envoy/endpoints.ts';
import { renderEnvoy } from '../envoy/render.ts';
import { renderKubernetes } from '../kubernetes/render.ts';
import { gatewayPolicy, type GatewayPolicy } from '../policy/policy.ts';
import { forUpstreams } from '../policy/upstreams.ts';

/** What the files are rendered for. */
export interface RenderTarget {
  readonly policy: GatewayPolicy;
  /** The issuer's public keys as a JWKS document. */
  readonly jwks: string;
  readonly host: string;
  /** What a stack's ports are counted from. */
  readonly portBase: number;
  /** Where APISIX sends spans, as host:port of an OTLP/HTTP collector; absent: it makes none. */
  readonly collector?: string;
}

/** Where the committed files are, and the public key that they are rendered with. */
export const renderedDir = join(import.meta.dirname, '../../rendered');

/** The committed files' target: a stack at the default ports, with a key whose private half nobody has. */
export const committedTarget = (): RenderTarget => ({
  policy: gatewayPolicy,
  jwks: readFileSync(join(renderedDir, 'example-jwks.json'), 'utf8'),
  host: '127.0.0.1',
  portBase: 4000,
});

/** As the launcher gives them to services; a stack at the default ports is what the committed files are for. */
const portOffsets = { http: 0, grpc: 1 } as const;

/** Every rendering of the policy, by file name. The same target gives the same text. */
export const renderAll = ({
  policy,
  jwks,
  host,
  portBase,
  collector,
}: RenderTarget): Readonly<Record<string, string>> => {
  const at = (offset: number): Address => ({ host, port: portBase + offset });
  const upstreams = forUpstreams(({ service, port }) => [
    at(100 + 10 * serviceNames.indexOf(service) + portOffsets[port]),
  ]);
  const keys = apisixKeys(jwks);
  return {
    'envoy.yaml': renderEnvoy({
      policy,
      listen: at(80),
      admin: at(89),
      upstreams,
      jwksPath: '/etc/parley/jwks.json',
      zipkin: at(194),
      accessLogPath: '/var/log/parley/gateway-access.log',
    }),
    'apisix.yaml': renderApisix({
      policy,
      upstreams,
      keys,
      ...(collector === undefined ? {} : { collector }),
    }),
    'config.yaml': renderApisixConfig({
      policy,
      listen: at(85),
      controlPort: portBase + 86,
      metricsPort: portBase + 87,
    }),
    'kubernetes.yaml': renderKubernetes({
      policy,
      namespace: 'parley',
      ingressClassName: 'apisix',
      servicePorts: { http: 80, grpc: 9090 },
      keys,
      traced: false,
    }),
  };
};
