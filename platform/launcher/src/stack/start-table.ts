import type { Endpoints, Instance } from '@parley/contracts/endpoints';
import type { TableRow } from '@parley/engines';
import { formatBytes, formatTable } from '../cli/table.ts';
import { defaultVersion } from './scale.ts';

/** What the start table shows besides the addresses. */
export interface StartFacts {
  readonly endpoints: Endpoints;
  readonly engineRows: readonly TableRow[];
  readonly startMs: number;
  readonly memoryBytes: number;
  /** A product that can be ordered. */
  readonly productId: string;
  /** Goes before a command that shall find this stack, with a blank at its end, or is empty. */
  readonly env: string;
  /** Nobody can type Ctrl-C where it runs. */
  readonly isDetached: boolean;
}

/** A row of an instance: by the service's name while it is alone. */
const rowOf = (instance: Instance, { instances }: Endpoints): readonly string[] => {
  const { service, id, version, host, ports } = instance;
  const isAlone = instances.filter((other) => other.service === service).length === 1;
  return [
    isAlone ? service : id,
    [
      `http://${host}:${ports.http}`,
      ...(ports.grpc === undefined ? [] : [`gRPC ${host}:${ports.grpc}`]),
      ...(version === defaultVersion ? [] : [`version ${version}`]),
    ].join('  '),
  ];
};

/** A row for each instance. */
export const instanceRows = (endpoints: Endpoints): readonly (readonly string[])[] =>
  endpoints.instances.map((instance) => rowOf(instance, endpoints));

/** The table that ends a start: every address, the seconds it took, the memory of the whole stack, what to try next. */
export const startTable = ({
  endpoints,
  engineRows,
  startMs,
  memoryBytes,
  productId,
  env,
  isDetached,
}: StartFacts): string => {
  const { gateway } = endpoints;
  const cells = (rows: readonly TableRow[]): string[][] =>
    rows.map(({ label, addresses }) => [label, addresses.join('  ')]);
  const rows = [
    ...cells(engineRows.filter(({ isEntrance }) => isEntrance === true)),
    ['GraphQL explorer', `${gateway.url}/graphql`],
    ...instanceRows(endpoints),
    ...cells(engineRows.filter(({ isEntrance }) => isEntrance !== true)),
  ];
  return [
    '',
    formatTable(rows),
    '',
    `ready in ${(startMs / 1000).toFixed(1)} s, ${formatBytes(memoryBytes)} of memory`,
    '',
    `next, in a second terminal: ${env}npm run flow, or by hand:`,
    `  curl '${gateway.url}/api/v1/products?limit=3'`,
    `  curl -i ${gateway.url}/api/v1/orders -H "authorization: Bearer $(${env}npm run -s token -- --sub alice)" \\`,
    `    -H 'idempotency-key: my-first-order' -H 'content-type: application/json' -d '{"productId":"${productId}","quantity":1}'`,
    '',
    `stop: ${isDetached ? '' : 'Ctrl-C here, or '}${env}npm run down`,
    '',
  ].join('\n');
};
