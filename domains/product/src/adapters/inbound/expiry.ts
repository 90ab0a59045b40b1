import { startLoop, type Service } from '@parley/service';
import { createExpiry } from '../../application/expiry.ts';

/** Ends expired holds again and again, until the service stops. */
export const startExpiry = (
  service: Service,
  deps: Omit<Parameters<typeof createExpiry>[0], 'log'> & {
    /** Between two sweeps. */
    readonly pauseMs: number;
  },
  signal: AbortSignal,
): void => {
  const { logger } = service;
  const expiry = startLoop({
    pauseMs: deps.pauseMs,
    work: createExpiry({ ...deps, log: logger }),
    failed: (err) => {
      logger.error({ err }, 'the sweep of expired holds failed');
    },
    signal,
  });
  service.onStop('expiry', () => expiry.stop());
};
