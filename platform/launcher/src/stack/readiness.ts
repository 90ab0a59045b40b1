import type { Endpoints } from '@parley/contracts/endpoints';
import { ProductPage } from '@parley/contracts/rest';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { answersOk } from '@parley/engines/probe';
import { waitUntil } from '@parley/engines/wait';
import { gatewayKnows } from './gateway-upstreams.ts';
import { opsUrl } from './instances.ts';

/** Something that a stack must have before it is called ready. */
interface Awaited {
  readonly name: string;
  readonly isReady: () => Promise<boolean>;
}

/** A product that the gateway shows; undefined while it shows none or does not answer. */
export const firstProductId = async (gateway: string): Promise<string | undefined> => {
  try {
    const response = await fetch(`${gateway}/api/v1/products?limit=1`, { signal: AbortSignal.timeout(2000) });
    if (!response.ok) return undefined;
    return ProductPage.parse(await response.json()).items[0]?.productId;
  } catch {
    return undefined;
  }
};

/** How to wait for a stack. */
export interface ReadinessOptions {
  readonly deadlineMs: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const sayEveryMs = 10_000;

/**
 * Waits until every instance's /readyz is 200, the gateway forwards to each that the registry is to list, and the products
 * come through it. Every ten seconds it says what is still awaited; past the deadline it rejects with that.
 */
export const untilReady = async (
  endpoints: Endpoints,
  { deadlineMs, say, signal }: ReadinessOptions,
): Promise<void> => {
  const awaited = new Map<string, Awaited>();
  for (const instance of endpoints.instances)
    awaited.set(instance.id, {
      name: instance.id,
      isReady: () => answersOk(`${opsUrl(instance)}/readyz`),
    });
  awaited.set('products', {
    name: 'products',
    isReady: async () => (await firstProductId(endpoints.gateway.url)) !== undefined,
  });
  // Without a registry it is told of further instances once they are ready.
  if (endpoints.discovery !== undefined)
    awaited.set('the gateway', {
      name: 'the gateway',
      isReady: () => gatewayKnows(endpoints.gateway, endpoints.instances),
    });
  const pending = (): string => [...awaited.keys()].join(', ');
  const startedAt = performance.now();
  let sayAt = sayEveryMs;
  const look = async (): Promise<boolean> => {
    await Promise.all(
      [...awaited.values()].map(async ({ name, isReady }) => {
        if (await isReady()) awaited.delete(name);
      }),
    );
    const elapsedMs = performance.now() - startedAt;
    if (awaited.size > 0 && elapsedMs > sayAt) {
      sayAt += sayEveryMs;
      say(`still waiting after ${(elapsedMs / 1000).toFixed(0)} s for: ${pending()}`);
    }
    return awaited.size === 0;
  };
  if (!(await waitUntil(look, { deadlineMs, intervalMs: 200, signal })))
    throw new CommandError(
      exitCodes.environment,
      `not ready after ${deadlineMs / 1000} s: ${pending()}. See the logs in the run folder`,
    );
};
