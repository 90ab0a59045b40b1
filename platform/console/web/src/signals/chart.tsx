import { useEffect, useRef, type ReactNode } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Series, Span } from './prometheus.ts';

/** One line of a chart. Told from the others by its stroke as well as by its colour. */
export interface Line {
  readonly label: string;
  readonly series: Series | undefined;
  /** Name of a custom property of the style sheet. */
  readonly colour: string;
  readonly dash?: number[];
}

const HEIGHT_PX = 56;
const GAP_FACTOR = 0.5;

const timesOf = ({ startSeconds, endSeconds, stepSeconds }: Span): number[] => {
  const count = Math.round((endSeconds - startSeconds) / stepSeconds) + 1;
  return Array.from({ length: count }, (_, index) => startSeconds + index * stepSeconds);
};

/** The values of a series at those times; null where it has none. */
const aligned = (
  series: Series | undefined,
  times: readonly number[],
  stepSeconds: number,
): (number | null)[] => {
  const at = new Map(
    series?.times.map((time, index) => [Math.round(time / stepSeconds), series.values[index]]),
  );
  return times.map((time) => at.get(Math.round(time / stepSeconds)) ?? null);
};

const colourOf = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A small chart without axes: its panel says the figures. It is drawn again when the theme or its width changes. */
export const Chart = ({
  lines,
  span,
  max,
  label,
}: {
  readonly lines: readonly Line[];
  readonly span: Span;
  /** The least that the top of the chart stands for. */
  readonly max: number;
  readonly label: string;
}): ReactNode => {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const times = timesOf(span);
    const data: uPlot.AlignedData = [
      times,
      ...lines.map(({ series }) => aligned(series, times, span.stepSeconds)),
    ];
    let plot: uPlot | undefined;
    const draw = (): void => {
      plot?.destroy();
      plot = new uPlot(
        {
          width: element.clientWidth,
          height: HEIGHT_PX,
          padding: [4, 0, 2, 0],
          cursor: { show: false },
          legend: { show: false },
          axes: [{ show: false }, { show: false }],
          scales: {
            x: { time: true, min: span.startSeconds, max: span.endSeconds },
            y: { range: (_plot, _low, high) => [0, Math.max(max, high * (1 + GAP_FACTOR / 10))] },
          },
          series: [
            {},
            ...lines.map(({ label: name, colour, dash }, index) => ({
              label: name,
              stroke: colourOf(colour),
              width: 1.5,
              points: { show: false },
              ...(dash === undefined ? {} : { dash }),
              ...(index === 0 && lines.length === 1 ? { fill: `${colourOf(colour)}22` } : {}),
            })),
          ],
        },
        data,
        element,
      );
    };
    draw();
    const resized = new ResizeObserver(draw);
    resized.observe(element);
    const themed = new MutationObserver(draw);
    themed.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    return () => {
      resized.disconnect();
      themed.disconnect();
      plot?.destroy();
    };
  }, [lines, span, max]);
  return <div className="chart" ref={box} role="img" aria-label={label} />;
};
