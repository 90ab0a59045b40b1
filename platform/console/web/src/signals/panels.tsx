import { serviceNames } from '@parley/contracts/endpoints';
import type { ReactNode } from 'react';
import { duration, percent, perSecond } from '../format.ts';
import { Status } from '../status.tsx';
import { Chart, type Line } from './chart.tsx';
import type { Verdict } from './diagnosis.ts';
import { latest, type Figures } from './figures.ts';
import { panelQueries, type PanelName } from './promql.ts';
import { Queries } from './queries.tsx';

interface PanelDefinition {
  readonly title: string;
  readonly show: (value: number) => string;
  /** What the top of the chart stands for at least. */
  readonly max: number;
  readonly lines: readonly {
    readonly panel: PanelName;
    readonly label: string;
    readonly colour: string;
    readonly dash?: number[];
  }[];
}

const definitions: readonly PanelDefinition[] = [
  {
    title: 'Rate',
    show: perSecond,
    max: 1,
    lines: [{ panel: 'rate', label: '', colour: '--accent' }],
  },
  {
    title: 'Errors',
    show: percent,
    max: 0.1,
    lines: [{ panel: 'errors', label: '', colour: '--bad' }],
  },
  {
    title: 'Duration',
    show: duration,
    max: 0.05,
    lines: [
      { panel: 'p50', label: 'p50', colour: '--accent' },
      { panel: 'p95', label: 'p95', colour: '--ink', dash: [6, 3] },
      { panel: 'p99', label: 'p99', colour: '--muted', dash: [2, 2] },
    ],
  },
  {
    title: 'Saturation',
    show: percent,
    max: 1,
    lines: [{ panel: 'saturation', label: 'event loop', colour: '--accent' }],
  },
];

/** What a service is, in words: the same that the map says. */
export const VerdictStatus = ({ verdict }: { readonly verdict: Verdict | undefined }): ReactNode => {
  switch (verdict?.kind) {
    case undefined:
    case 'unknown':
      return <Status tone="quiet">no traffic</Status>;
    case 'well':
      return <Status tone="good">well</Status>;
    case 'cause':
      return <Status tone="bad">cause: {percent(verdict.errorRatio)} fail</Status>;
    case 'consequence':
      return <Status tone="warn">consequence of {verdict.of.join(', ')}</Status>;
  }
};

interface PanelProps {
  readonly definition: PanelDefinition;
  readonly service: string;
  readonly figures: Figures;
  readonly metricsUrl: string;
  readonly minutes: number;
}

const Panel = ({ definition, service, figures, metricsUrl, minutes }: PanelProps): ReactNode => {
  const { title, show, max, lines } = definition;
  const drawn = lines.map(({ panel, ...line }): Line & { readonly panel: PanelName } => ({
    ...line,
    panel,
    series: figures.panels[panel].get(service),
  }));
  const values = drawn.map(({ label, series }) => ({ label, value: latest(series) }));
  const said = values
    .map(({ label, value }) => `${label} ${value === undefined ? 'no data' : show(value)}`.trim())
    .join(', ');
  return (
    <td className="panel" data-panel={`${service} ${title.toLowerCase()}`}>
      <div className="values">
        {values.map(({ label, value }) => (
          <span key={label}>
            {label === '' ? null : <small>{label} </small>}
            <b className="mono">{value === undefined ? '–' : show(value)}</b>
          </span>
        ))}
      </div>
      <Chart lines={drawn} span={figures.span} max={max} label={`${title} of ${service}: ${said}`} />
      <Queries
        questions={lines.map(({ panel, label }) => ({
          label: label === 'event loop' ? '' : label,
          query: panelQueries[panel](service),
        }))}
        metricsUrl={metricsUrl}
        minutes={minutes}
      />
    </td>
  );
};

/** Per service: rate, errors, durations, saturation. Each panel names its PromQL and opens it in Prometheus. */
export const Panels = ({
  figures,
  verdicts,
  ...rest
}: {
  readonly figures: Figures;
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly metricsUrl: string;
  readonly minutes: number;
}): ReactNode => (
  <table className="panels">
    <thead>
      <tr>
        <th>Service</th>
        {definitions.map(({ title }) => (
          <th key={title}>{title}</th>
        ))}
      </tr>
    </thead>
    <tbody>
      {serviceNames.map((service) => (
        <tr key={service} data-service={service} data-verdict={verdicts.get(service)?.kind}>
          <th scope="row">
            {service}
            <VerdictStatus verdict={verdicts.get(service)} />
          </th>
          {definitions.map((definition) => (
            <Panel
              key={definition.title}
              {...rest}
              definition={definition}
              service={service}
              figures={figures}
            />
          ))}
        </tr>
      ))}
    </tbody>
  </table>
);
