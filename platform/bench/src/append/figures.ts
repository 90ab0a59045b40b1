/** How both sides of the append benchmark turn work into a figure. */
import { percentile, type Measured } from '../pairs.ts';

/** Operations a second. */
export async function rate(count: number, run: () => Promise<number>): Promise<Measured> {
  const startedAtMs = performance.now();
  const done = await run();
  return { figure: done / ((performance.now() - startedAtMs) / 1000), count: done, expected: count };
}

/** The median of operations that run one at a time, in milliseconds. */
export async function medianMs(count: number, run: () => Promise<boolean>): Promise<Measured> {
  const latencies: number[] = [];
  for (let i = 0; i < count; i++) {
    const startedAtMs = performance.now();
    if (await run()) latencies.push(performance.now() - startedAtMs);
  }
  return { figure: percentile(latencies, 0.5), count: latencies.length, expected: count };
}
