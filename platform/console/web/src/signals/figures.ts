import { serviceNames } from '@parley/contracts/endpoints';
import type { Edge, ServiceFigures } from './diagnosis.ts';
import { askNow, askRange, type Series, type Span } from './prometheus.ts';
import { DESTINATION, mapQueries, panelQueries, PEER, SERVICE, type PanelName } from './promql.ts';

/** Everything that the page shows, of one moment. */
export interface Figures {
  readonly span: Span;
  /** By panel and service. */
  readonly panels: Readonly<Record<PanelName, ReadonlyMap<string, Series>>>;
  readonly services: readonly ServiceFigures[];
  readonly edges: readonly Edge[];
}

const POINTS = 60;

/** The last `minutes`, in whole steps. */
const spanOf = (minutes: number, nowMs: number): Span => {
  const stepSeconds = (minutes * 60) / POINTS;
  const endSeconds = Math.floor(nowMs / 1000 / stepSeconds) * stepSeconds;
  return { startSeconds: endSeconds - minutes * 60, endSeconds, stepSeconds };
};

/** The newest value. */
export const latest = (series: Series | undefined): number | undefined => series?.values.at(-1) ?? undefined;

const byService = (all: readonly Series[]): ReadonlyMap<string, Series> =>
  new Map(all.map((series) => [series.labels[SERVICE] ?? '', series]));

const keyOf = ({ labels }: Series): string =>
  `${labels[SERVICE] ?? ''} ${labels[PEER] ?? labels[DESTINATION] ?? ''}`;

const callsOf = (calls: readonly Series[], errors: readonly Series[]): readonly Edge[] => {
  const ratios = new Map(errors.map((series) => [keyOf(series), latest(series) ?? 0]));
  return calls.flatMap((series): Edge[] => {
    const { [SERVICE]: from, [PEER]: to } = series.labels;
    const ratePerSecond = latest(series) ?? 0;
    if (from === undefined || to === undefined) return [];
    return [{ from, to, kind: 'call', ratePerSecond, errorRatio: ratios.get(keyOf(series)) ?? 0 }];
  });
};

/** From whoever publishes to a topic or a queue to whoever works on it. */
const messagesOf = (
  published: readonly Series[],
  processed: readonly Series[],
  errors: readonly Series[],
): readonly Edge[] => {
  const ratios = new Map(errors.map((series) => [keyOf(series), latest(series) ?? 0]));
  return processed.flatMap((series) => {
    const { [SERVICE]: to = '', [DESTINATION]: via } = series.labels;
    const senders = published.filter(({ labels }) => labels[DESTINATION] === via && labels[SERVICE] !== to);
    return senders.map(({ labels }): Edge => ({
      from: labels[SERVICE] ?? '',
      to,
      kind: 'message',
      via,
      ratePerSecond: latest(series) ?? 0,
      errorRatio: ratios.get(keyOf(series)) ?? 0,
    }));
  });
};

const panelNames = Object.keys(panelQueries) as PanelName[];

/** Asks for all of it at once. @throws Error when one of the questions has no answer. */
export const askFigures = async (minutes: number): Promise<Figures> => {
  const span = spanOf(minutes, Date.now());
  const ranges = Promise.all(
    panelNames.map(async (name) => [name, byService(await askRange(panelQueries[name](), span))] as const),
  );
  const [entries, calls, callErrors, published, processed, processErrors] = await Promise.all([
    ranges,
    ...Object.values(mapQueries).map(askNow),
  ]);
  const panels = Object.fromEntries(entries) as Figures['panels'];
  return {
    span,
    panels,
    services: serviceNames.map((service) => ({
      service,
      ratePerSecond: latest(panels.rate.get(service)),
      errorRatio: latest(panels.errors.get(service)),
    })),
    edges: [
      ...callsOf(calls ?? [], callErrors ?? []),
      ...messagesOf(published ?? [], processed ?? [], processErrors ?? []),
    ],
  };
};
