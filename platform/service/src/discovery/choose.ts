import type { ServiceConfig } from '../config.ts';
import type { Discovery, DiscoveryLog } from './discovery.ts';
import { openDns } from './dns.ts';
import { openEureka } from './eureka.ts';
import type { Instance } from './instance.ts';
import { openStatic } from './static.ts';

/** What a service knows that is to find its peers. */
export interface ChooseOptions {
  readonly config: Pick<ServiceConfig, 'EUREKA_URL' | 'DNS_DOMAIN' | 'DNS_SERVER'>;
  /** Its peers where the environment says that they are: all there is without a registry, the first guess with one. */
  readonly peers: readonly Instance[];
  readonly log: DiscoveryLog;
  readonly isHealthy: () => boolean;
}

/** Eureka where there is one, else DNS, else the list of the environment. */
export const openDiscovery = ({ config, peers, log, isHealthy }: ChooseOptions): Discovery => {
  const { EUREKA_URL: url, DNS_DOMAIN: domain, DNS_SERVER: server } = config;
  if (url !== undefined) return openEureka({ url, log, isHealthy, seed: peers, follows: peers.length > 0 });
  if (domain === undefined) return openStatic(peers);
  const services = [...new Set(peers.map(({ service }) => service))];
  return openDns({
    domain,
    services,
    log,
    seed: peers,
    ...(server === undefined ? {} : { servers: [server] }),
  });
};
