import type { ReactNode } from 'react';
import type { StackState } from '../../../src/api.ts';
import { percent } from '../format.ts';
import { hrefWith, Link, useLocation } from '../location.tsx';
import { usePolled } from '../polled.ts';
import { Empty, Stale } from '../status.tsx';
import { diagnose, type Verdict } from './diagnosis.ts';
import { askFigures, type Figures } from './figures.ts';
import { Panels } from './panels.tsx';
import { mapQueries } from './promql.ts';
import { Queries, type Question } from './queries.tsx';
import { ServiceMap } from './service-map.tsx';

const INTERVAL_MS = 5_000;
const windows = ['5', '15', '60'] as const;

/** What the map is drawn from. */
const mapQuestions: readonly Question[] = [
  { label: 'calls', query: mapQueries.calls },
  { label: 'failed calls', query: mapQueries.callErrors },
  { label: 'published', query: mapQueries.published },
  { label: 'processed', query: mapQueries.processed },
  { label: 'failed', query: mapQueries.processErrors },
];

const names = (all: readonly string[]): string => new Intl.ListFormat('en').format(all);

/** What is wrong, in a sentence. */
const headline = (verdicts: ReadonlyMap<string, Verdict>): string => {
  const entries = [...verdicts];
  const causes = entries.filter(([, { kind }]) => kind === 'cause').map(([service]) => service);
  if (causes.length > 0) return `${names(causes)} ${causes.length === 1 ? 'is' : 'are'} failing`;
  const isMeasured = entries.some(([, { kind }]) => kind === 'well');
  return isMeasured ? 'Nothing is failing' : 'No traffic yet';
};

const Explanation = ({ verdicts }: { readonly verdicts: ReadonlyMap<string, Verdict> }): ReactNode => {
  const said = [...verdicts].flatMap(([service, verdict]) => {
    if (verdict.kind === 'cause')
      return [`${service}: ${percent(verdict.errorRatio)} of what it was asked failed in the last minute.`];
    if (verdict.kind === 'consequence')
      return [
        `${service}: ${percent(verdict.errorRatio)} of its calls fail, a consequence of ${names(verdict.of)}.`,
      ];
    return [];
  });
  return said.length === 0 ? null : (
    <ul className="explanation">
      {said.map((sentence) => (
        <li key={sentence}>{sentence}</li>
      ))}
    </ul>
  );
};

const Dashboard = ({
  figures,
  metricsUrl,
  minutes,
}: {
  readonly figures: Figures;
  readonly metricsUrl: string;
  readonly minutes: number;
}): ReactNode => {
  const { services, edges } = figures;
  const verdicts = diagnose(services, edges);
  return (
    <>
      <div className="heading">
        <h1 aria-live="polite">{headline(verdicts)}</h1>
        <div className="tabs" role="group" aria-label="Window">
          {windows.map((one) => (
            <Link
              key={one}
              href={hrefWith({ window: one })}
              aria-current={String(minutes) === one ? 'true' : undefined}
            >
              {one} min
            </Link>
          ))}
        </div>
      </div>
      <Explanation verdicts={verdicts} />
      {services.some(({ ratePerSecond }) => (ratePerSecond ?? 0) > 0) ? null : (
        <Empty title="Nothing was asked of any service in the last minute">
          <Link href="/">Place an order</Link>, or type <code>npm run flow</code>. Prometheus looks every few
          seconds.
        </Empty>
      )}
      <ServiceMap services={services} edges={edges} verdicts={verdicts} />
      <p className="hint">
        Solid: calls. Dashed: messages, through Kafka or RabbitMQ. Rates and ratios are of the last minute.
      </p>
      <Queries questions={mapQuestions} metricsUrl={metricsUrl} minutes={minutes} />
      <Panels figures={figures} verdicts={verdicts} metricsUrl={metricsUrl} minutes={minutes} />
    </>
  );
};

/** The dashboard: which service is sick, and how each of them does. */
export const Signals = ({ stack }: { readonly stack: StackState | undefined }): ReactNode => {
  const { params } = useLocation();
  const minutes = Number(windows.find((one) => one === params.get('window')) ?? '15');
  const { value, error } = usePolled(() => askFigures(minutes), INTERVAL_MS, `figures ${minutes}`);
  const metricsUrl = stack?.metricsUrl;
  if (value === undefined || metricsUrl === undefined)
    return (
      <>
        <h1>Signals</h1>
        <Empty title={error ?? 'Asking Prometheus …'}>
          The figures come from the stack’s Prometheus. Start a stack with <code>npm run dev</code>; it looks
          at every service each few seconds.
        </Empty>
      </>
    );
  return (
    <>
      {error === undefined ? null : <Stale>{error}. The figures below are older.</Stale>}
      <Dashboard figures={value} metricsUrl={metricsUrl} minutes={minutes} />
    </>
  );
};
