import { OPS_ROWS_MAX, OpsProjectionRows, OpsProjections, type OpsProjection } from '@parley/contracts/rest';
import type { z } from 'zod';
import { CommandError, messageOf } from '../cli/exit.ts';

/** A service hashes a million rows in about a second, between other work. */
const TIMEOUT_MS = 30_000;

async function get<T>(url: string, schema: z.ZodType<T>): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new CommandError(
      'environment',
      `${url} does not answer (${messageOf(error)}). Start a stack with npm run dev`,
      error,
    );
  }
  if (!response.ok) throw new CommandError('failed', `${url} answered ${String(response.status)}`);
  return schema.parse(await response.json());
}

/** A projection as some running service has it now. */
export interface LiveProjection {
  readonly service: string;
  /** Base URL of the operations server. */
  readonly ops: string;
  readonly status: OpsProjection;
}

/** The projection in the first of these services that has it. @throws CommandError when none does or one is silent. */
export async function liveProjection(
  services: Readonly<Record<string, string>>,
  name: string,
): Promise<LiveProjection> {
  for (const [service, ops] of Object.entries(services)) {
    const { projections } = await get(new URL('/ops/projections', ops).href, OpsProjections);
    const status = projections.find((candidate) => candidate.name === name);
    if (status !== undefined) return { service, ops, status };
  }
  throw new CommandError('failed', `no running service has a projection ${name}`);
}

/** The next page of a projection's rows in key order. */
export function liveRows(
  { ops, status }: LiveProjection,
  after: string | undefined,
): Promise<OpsProjectionRows> {
  const url = new URL(`/ops/projections/${encodeURIComponent(status.name)}/rows`, ops);
  url.searchParams.set('limit', String(OPS_ROWS_MAX));
  if (after !== undefined) url.searchParams.set('after', after);
  return get(url.href, OpsProjectionRows);
}
