/** The questions behind the panels, in PromQL, by the names that contracts give the signals. */
import { attribute, metricDefinitions, prometheusLabel, prometheusName } from '@parley/contracts/telemetry';

/** Set on every target by the scrape configuration. */
export const SERVICE = prometheusLabel(attribute.serviceName);
export const PEER = prometheusLabel(attribute.peerService);
export const DESTINATION = prometheusLabel(attribute.messagingDestination);
const ERROR = prometheusLabel(attribute.errorType);
const HTTP_STATUS = prometheusLabel(attribute.httpStatusCode);
const RPC_STATUS = prometheusLabel(attribute.rpcResponseStatus);

/** What rates are taken over. */
export const RATE_WINDOW = '1m';

/** Statuses by which a service refuses a wrong or impossible request: no fault of its own. */
const REFUSALS = [
  'CANCELLED',
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'UNAUTHENTICATED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
].join('|');

const { httpServerDuration, rpcServerDuration, processDuration, httpClientDuration, rpcClientDuration } =
  metricDefinitions;
/** What a service works on: requests, calls, and events or messages. */
const served = [httpServerDuration, rpcServerDuration, processDuration].map(prometheusName);
const called = [httpClientDuration, rpcClientDuration].map(prometheusName);

const failed = `${ERROR}!="",${HTTP_STATUS}!~"4..",${RPC_STATUS}!~"${REFUSALS}"`;

const counts = (metrics: readonly string[], labels: string): string =>
  `rate({__name__=~"(${metrics.join('|')})_count"${labels === '' ? '' : `,${labels}`}}[${RATE_WINDOW}])`;

/** Only one service, or all of them. */
const of = (service: string | undefined): string => (service === undefined ? '' : `${SERVICE}="${service}"`);
const and = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(',');

/** Failed over all; 0 where none failed. */
const ratio = (metrics: readonly string[], by: string, labels: string): string => {
  const all = `sum by (${by}) (${counts(metrics, labels)})`;
  const bad = `sum by (${by}) (${counts(metrics, and(labels, failed))})`;
  return `(${bad} or ${all} * 0) / (${all} > 0)`;
};

export type PanelName = 'rate' | 'errors' | 'p50' | 'p95' | 'p99' | 'saturation';

const quantile = (q: number, service: string | undefined): string =>
  `histogram_quantile(${q}, sum by (${SERVICE}, le) (rate({__name__=~"(${served.join('|')})_bucket"${service === undefined ? '' : `,${of(service)}`}}[${RATE_WINDOW}])))`;

/** The question of a panel, for one service or for all at once: the answers are the same. */
export const panelQueries: Readonly<Record<PanelName, (service?: string) => string>> = {
  rate: (service) => `sum by (${SERVICE}) (${counts(served, of(service))})`,
  errors: (service) => ratio(served, SERVICE, of(service)),
  p50: (service) => quantile(0.5, service),
  p95: (service) => quantile(0.95, service),
  p99: (service) => quantile(0.99, service),
  saturation: (service) => {
    const name = prometheusName(metricDefinitions.eventLoopUtilization);
    return `max by (${SERVICE}) (${name}${service === undefined ? '' : `{${of(service)}}`})`;
  },
};

/** The questions of the map: calls by caller and callee, and messages by who sends and who works on them. */
export const mapQueries = {
  calls: `sum by (${SERVICE}, ${PEER}) (${counts(called, '')})`,
  callErrors: ratio(called, `${SERVICE}, ${PEER}`, ''),
  published: `sum by (${SERVICE}, ${DESTINATION}) (${counts([prometheusName(metricDefinitions.publishDuration)], '')})`,
  processed: `sum by (${SERVICE}, ${DESTINATION}) (${counts([prometheusName(processDuration)], '')})`,
  processErrors: ratio([prometheusName(processDuration)], `${SERVICE}, ${DESTINATION}`, ''),
} as const;

/** Prometheus' own page with a question and its graph. */
export const graphUrl = (metricsUrl: string, query: string, windowMinutes: number): string => {
  const url = new URL('graph', metricsUrl.endsWith('/') ? metricsUrl : `${metricsUrl}/`);
  url.searchParams.set('g0.expr', query);
  url.searchParams.set('g0.tab', '0');
  url.searchParams.set('g0.range_input', `${windowMinutes}m`);
  return url.href;
};
