import type { Endpoints } from '@parley/contracts/endpoints';
import { messageOf } from '../cli/exit.ts';
import type { Output } from '../cli/output.ts';
import { endpointsOf } from './addresses.ts';
import type { StackContext } from './context.ts';
import { untilReady } from './readiness.ts';
import type { Scale } from './scale.ts';
import { watchScale } from './scale-file.ts';

const readyDeadlineMs = 180_000;

/** Whom the launcher tells of another scale. */
export interface FollowScaleOptions {
  readonly context: StackContext;
  /** The scale that the stack was started with. */
  readonly scale: Scale;
  readonly output: Output;
  readonly publish: (endpoints: Endpoints) => Promise<void>;
}

const countsOf = (scale: Scale): string =>
  Object.entries(scale)
    .map(([service, versions]) => `${service} ${versions.length}`)
    .join(', ');

/**
 * Publishes the endpoints anew whenever the scale of the run folder has changed and all instances of it are ready; a
 * change that is overtaken by another is not published. The supervisors start and end the instances meanwhile. The
 * returned function ends it.
 */
export const followScale = ({ context, scale, output, publish }: FollowScaleOptions): (() => void) => {
  let overtaken = new AbortController();
  const change = async (wanted: Scale, signal: AbortSignal): Promise<void> => {
    output.line(`instances: ${countsOf(wanted)} …`);
    const endpoints = endpointsOf(context, wanted);
    const say = (line: string): void => {
      output.line(line);
    };
    await untilReady(endpoints, { deadlineMs: readyDeadlineMs, say, signal });
    signal.throwIfAborted();
    await publish(endpoints);
    output.good(`instances: ${countsOf(wanted)}`);
  };
  const end = watchScale(context.runDir, scale, (wanted) => {
    overtaken.abort();
    overtaken = new AbortController();
    const { signal } = overtaken;
    change(wanted, signal).catch((error: unknown) => {
      if (!signal.aborted) output.bad(messageOf(error));
    });
  });
  return () => {
    end();
    overtaken.abort();
  };
};
