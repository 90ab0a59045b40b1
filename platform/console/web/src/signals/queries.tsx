import type { ReactNode } from 'react';
import { graphUrl } from './promql.ts';

/** A question, and what tells it from those beside it; '' when it is alone. */
export interface Question {
  readonly label: string;
  readonly query: string;
}

interface QueriesProps {
  readonly questions: readonly Question[];
  readonly metricsUrl: string;
  readonly minutes: number;
}

/** PromQL, whole when it is pointed at or reached by keyboard; each opens in Prometheus. */
export const Queries = ({ questions, metricsUrl, minutes }: QueriesProps): ReactNode => (
  <div className="queries">
    {questions.map(({ label, query }) => (
      <a
        key={query}
        className="mono"
        href={graphUrl(metricsUrl, query, minutes)}
        target="_blank"
        rel="noreferrer"
        title="Open in Prometheus"
      >
        <span className="promql">
          {label === '' ? '' : `${label} `}
          {query}
        </span>
      </a>
    ))}
  </div>
);
