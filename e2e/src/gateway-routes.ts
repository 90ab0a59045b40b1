import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { StackUnderTest } from './stack.ts';
import { waitFor } from './wait.ts';

const Header = z.looseObject({
  name: z.string(),
  string_match: z.looseObject({ safe_regex: z.looseObject({ regex: z.string() }).optional() }).optional(),
});
const Routes = z.array(
  z.looseObject({ name: z.string(), match: z.looseObject({ headers: z.array(Header).default([]) }) }),
);
const Dump = z.object({
  configs: z.array(
    z.looseObject({
      route_config: z.looseObject({ virtual_hosts: z.array(z.looseObject({ routes: Routes })) }),
    }),
  ),
});

/**
 * Each method of each route of the policy that the gateway runs now, such as `GET orders`. Only a route to a service is
 * matched by a list of methods.
 */
export const routesInForce = async (adminUrl: string): Promise<readonly string[]> => {
  const answer = await fetch(new URL('/config_dump?resource=dynamic_route_configs', adminUrl));
  return Dump.parse(await answer.json())
    .configs.flatMap(({ route_config: { virtual_hosts: hosts } }) => hosts.flatMap(({ routes }) => routes))
    .flatMap(({ name, match: { headers } }) => {
      const methods = headers.find((header) => header.name === ':method')?.string_match?.safe_regex?.regex;
      return methods?.split('|').map((method) => `${method} ${name}`) ?? [];
    });
};

const Line = z.looseObject({ correlationId: z.string().nullable(), route: z.string().nullable() });

/** By its correlation id, the route that took each of these requests, as the gateway's own log has it once all are written. */
export const routesTaken = async (
  { runDir }: Pick<StackUnderTest, 'runDir'>,
  correlationIds: readonly string[],
): Promise<ReadonlyMap<string, string | null>> => {
  const wanted = new Set(correlationIds);
  const look = (): ReadonlyMap<string, string | null> | undefined => {
    const lines = readFileSync(join(runDir, 'logs/gateway-access.log'), 'utf8').split('\n');
    const taken = new Map<string, string | null>();
    for (const text of lines.filter((line) => line.startsWith('{') && line.endsWith('}'))) {
      const { correlationId, route } = Line.parse(JSON.parse(text));
      if (correlationId !== null && wanted.has(correlationId)) taken.set(correlationId, route);
    }
    return taken.size < wanted.size ? undefined : taken;
  };
  return waitFor('the gateway to have written its log', look, { deadlineMs: 120_000, intervalMs: 200 });
};
