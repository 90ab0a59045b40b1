/** The console of a development stack. The launcher starts it; exit code 3 when its environment is wrong. */
import { serve } from '@hono/node-server';
import { ZodError } from 'zod';
import { consoleApp } from './app.ts';
import { consoleConfig, type ConsoleConfig } from './config.ts';

const EXIT_ENVIRONMENT = 3;

const configured = (): ConsoleConfig => {
  try {
    return consoleConfig(process.env);
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    for (const { path, message } of error.issues) process.stderr.write(`${path.join('.')}: ${message}\n`);
    return process.exit(EXIT_ENVIRONMENT);
  }
};

const config = configured();
const server = serve(
  { fetch: consoleApp(config).fetch, hostname: '127.0.0.1', port: config.port },
  ({ port }) => {
    process.stdout.write(`console at http://127.0.0.1:${port}\n`);
  },
);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    server.close(() => process.exit(0));
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
