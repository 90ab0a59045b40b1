/** A service in a process of its own, for tests of how it starts and ends. The mode is the first argument. */
import { once } from 'node:events';
import { createService, loadConfig, serviceConfigShape, startLoop } from '../src/index.ts';
import { z } from 'zod';
import { kitCatalog } from './catalog.ts';

const [, , mode = 'run'] = process.argv;
const service = createService({
  name: 'process',
  config: loadConfig(z.object(serviceConfigShape)),
  errors: kitCatalog,
});
const { logger } = service;

// Answered only after the process was told to stop: whoever gets the answer was under way by then.
service.http.get('/until-stopped', async (c) => {
  logger.info('entered');
  await once(process, 'SIGTERM');
  return c.text('done');
});
service.onStop('part', () => {
  logger.info('part stopped');
});
await service.run(async (signal) => {
  logger.info('starting');
  if (mode === 'fail') throw new Error('cannot start');
  if (mode === 'start-for-ever') await new Promise(() => undefined);
  if (mode === 'start-until-aborted') await once(signal, 'abort');
  const loop = startLoop({
    pauseMs: 5,
    work: () => {
      if (signal.aborted) logger.error('new work was begun');
      return Promise.resolve();
    },
    failed: () => undefined,
    signal,
  });
  service.onStop('loop', () => loop.stop());
});
