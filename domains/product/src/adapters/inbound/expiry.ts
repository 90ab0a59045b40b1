import { startLoop, type Service } from '@parley/service';
import { createExpiry } from '../../application/expiry.ts';

const PAUSE_MS = 5_000;

/** Ends expired holds again and again, until the service stops. */
export const startExpiry = (
  service: Service,
  deps: Omit<Parameters<typeof createExpiry>[0], 'log'>,
  signal: AbortSignal,
): void => {
  const { logger } = service;
  const expiry = startLoop({
    pauseMs: PAUSE_MS,
    work: createExpiry({ ...deps, log: logger }),
    failed: (err) => {
      logger.error({ err }, 'the sweep of expired holds failed');
    },
    signal,
  });
  service.onStop('expiry', () => expiry.stop());
};
