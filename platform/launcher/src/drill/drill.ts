import { CommandError, exitCodes } from '../cli/exit.ts';
import { findAlert, untilAlert, type FiringAlert } from './alerts.ts';
import type { DrillStack, Fault } from './faults.ts';

/** How a drill went. */
export interface DrillResult {
  readonly fault: string;
  /** Undefined when nothing fired in time. */
  readonly alert: FiringAlert | undefined;
  /** From the fault to the alert, in milliseconds; the deadline when nothing fired. */
  readonly detectedAfterMs: number;
}

/** What bounds a drill. */
export interface DrillOptions {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly said: (line: string) => void;
}

/**
 * Puts a fault into a stack, waits for the alert that is to notice it and takes the fault out again, whatever happens.
 * Refuses a stack whose alert fires already, or that has no Prometheus: it could not tell.
 */
export const drill = async (
  fault: Fault,
  stack: DrillStack,
  { deadlineMs, signal, said }: DrillOptions,
): Promise<DrillResult> => {
  const prometheus = stack.endpoints.metrics?.url;
  if (prometheus === undefined)
    throw new CommandError(
      exitCodes.environment,
      'this stack has no Prometheus. Start it without PARLEY_ENGINES=-prometheus',
    );
  const before = await findAlert(prometheus, fault.alert);
  if (before !== undefined)
    throw new CommandError(
      exitCodes.failed,
      `${fault.alert.alertname ?? ''} fires already: ${before.summary}. Wait until it has ended`,
    );
  const injectedAt = performance.now();
  said(`${fault.name}: ${fault.summary}`);
  const restore = await fault.inject(stack);
  try {
    const alert = await untilAlert(prometheus, fault.alert, { deadlineMs, signal });
    return { fault: fault.name, alert, detectedAfterMs: performance.now() - injectedAt };
  } finally {
    await restore();
    said('the fault is taken out');
  }
};
