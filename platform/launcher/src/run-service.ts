import { join, relative } from 'node:path';
import { endpointsOf, serviceEnv, serviceNamed, shutdownDeadlineMs } from './stack/addresses.ts';
import { contextFrom, rootDir, runFiles } from './stack/context.ts';
import { removePidFile, writePidFile } from './stack/pid-files.ts';
import { stackMark } from '@parley/engines/procfs';
import { Supervisor } from './stack/supervisor.ts';
import { sourceFolders, watchSources } from './stack/watch.ts';
import { markedOutput } from './stack/turbo-lines.ts';
import { answersOk } from '@parley/engines/probe';
import { exitCodes } from './cli/exit.ts';
import { bypassProxiesOnLoopback } from './cli/no-proxy.ts';

/*
 * `parley-run <service>`: runs one service of the stack that PARLEY_RUN_DIR and PARLEY_PORT_BASE describe, restarts it
 * when it dies and reloads it when its source changes (not with PARLEY_WATCH=0). SIGTERM drains it and ends this process.
 */
bypassProxiesOnLoopback(process.env);
const service = serviceNamed(process.argv[2]);
if (service === undefined) {
  process.stderr.write('usage: parley-run <order|product|payment|notification|shipping>\n');
  process.exit(exitCodes.usage);
}
const context = contextFrom(process.env);
const folder = join(rootDir, 'domains', service);
const output = markedOutput((line) => process.stdout.write(`${line}\n`));
const readyUrl = `${endpointsOf(context)[service].ops}/readyz`;

const supervisor = new Supervisor({
  name: service,
  command: process.execPath,
  args: ['--disable-warning=ExperimentalWarning', 'src/main.ts'],
  cwd: folder,
  env: { ...process.env, ...serviceEnv(service, context), [stackMark]: context.runDir },
  logPath: join(runFiles(context.runDir).logs, `${service}.log`),
  stopDeadlineMs: shutdownDeadlineMs + 2000,
  output,
  isReady: () => answersOk(readyUrl),
  started: (pid) => {
    writePidFile(context.runDir, service, { pid, supervisorPid: process.pid });
  },
});

const endWatch =
  process.env.PARLEY_WATCH === '0'
    ? () => undefined
    : watchSources(sourceFolders(folder, rootDir), (file) => {
        output.line(`${service} reloads: ${relative(rootDir, file)} changed`);
        supervisor.reload();
      });
const stop = (): void => {
  endWatch();
  void supervisor.stop();
};
process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', stop);
await supervisor.run();
removePidFile(context.runDir, service);
