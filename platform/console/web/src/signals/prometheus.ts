import { ask } from '../polled.ts';

/** Labels and what was measured: seconds since the epoch and values, in order of time. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly times: readonly number[];
  /** Undefined where there was nothing to divide by. */
  readonly values: readonly (number | null)[];
}

interface Answer {
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value?: readonly [number, string];
      readonly values?: readonly (readonly [number, string])[];
    }[];
  };
}

const numberOf = (text: string): number | null => {
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
};

const seriesOf = ({ data }: Answer): readonly Series[] =>
  data.result.map(({ metric, value, values = value === undefined ? [] : [value] }) => ({
    labels: metric,
    times: values.map(([at]) => at),
    values: values.map(([, text]) => numberOf(text)),
  }));

/** The window of a chart, in whole steps, so that each look asks for the same points. */
export interface Span {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly stepSeconds: number;
}

export const askRange = async (
  query: string,
  { startSeconds, endSeconds, stepSeconds }: Span,
): Promise<readonly Series[]> => {
  const parameters = new URLSearchParams({
    query,
    start: String(startSeconds),
    end: String(endSeconds),
    step: String(stepSeconds),
  });
  return seriesOf(await ask<Answer>(`/api/metrics/query_range?${parameters.toString()}`));
};

export const askNow = async (query: string): Promise<readonly Series[]> =>
  seriesOf(await ask<Answer>(`/api/metrics/query?${new URLSearchParams({ query }).toString()}`));
