import { join, relative } from 'node:path';
import { bypassProxiesOnLoopback } from '@parley/cli';
import { stackMark } from '@parley/engines/procfs';
import { answersOk } from '@parley/engines/probe';
import { exitCodes } from './cli/exit.ts';
import { serviceEnv, serviceNamed, shutdownDeadlineMs } from './stack/addresses.ts';
import { contextFrom, rootDir, runFiles } from './stack/context.ts';
import { InstanceSet } from './stack/instance-set.ts';
import { instancesOf, opsUrl } from './stack/instances.ts';
import { holderOf } from './stack/lock.ts';
import { removePidFile, writePidFile } from './stack/pid-files.ts';
import { readScale, watchScale } from './stack/scale-file.ts';
import { Supervisor } from './stack/supervisor.ts';
import { markedOutput } from './stack/turbo-lines.ts';
import { sourceFolders, watchSources } from './stack/watch.ts';

/*
 * `parley-run <service>`: runs the instances of one service of the stack that PARLEY_RUN_DIR and PARLEY_PORT_BASE
 * describe, as many as the run folder's scale.json says, restarts one that dies and reloads all when their source
 * changes (not with PARLEY_WATCH=0). SIGTERM drains them and ends this process.
 */
bypassProxiesOnLoopback(process.env);
const service = serviceNamed(process.argv[2]);
if (service === undefined) {
  process.stderr.write('usage: parley-run <order|product|payment|notification|shipping>\n');
  process.exit(exitCodes.usage);
}
const context = contextFrom(process.env);
const { runDir } = context;
if ((await holderOf(runDir)) === undefined) {
  process.stderr.write(
    `no stack runs from ${runDir}: ${service} would wait for its engines. Type npm run dev\n`,
  );
  process.exit(exitCodes.environment);
}
const folder = join(rootDir, 'domains', service);
const output = markedOutput((line) => process.stdout.write(`${line}\n`));

const instances = new InstanceSet({
  supervise: (instance) =>
    new Supervisor({
      name: instance.id,
      command: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', 'src/main.ts'],
      cwd: folder,
      env: { ...process.env, ...serviceEnv(instance, context, readScale(runDir)), [stackMark]: runDir },
      logPath: join(runFiles(runDir).logs, `${instance.id}.log`),
      stopDeadlineMs: shutdownDeadlineMs + 2000,
      output,
      isReady: () => answersOk(`${opsUrl(instance)}/readyz`),
      started: (pid) => {
        writePidFile(runDir, instance.id, { pid, supervisorPid: process.pid });
      },
    }),
  ended: ({ id }) => {
    removePidFile(runDir, id);
  },
});

const endWatch =
  process.env.PARLEY_WATCH === '0'
    ? () => undefined
    : watchSources(sourceFolders(folder, rootDir), (file) => {
        output.line(`${service} reloads: ${relative(rootDir, file)} changed`);
        instances.reload();
      });
const scale = readScale(runDir);
const { promise: stopAsked, resolve: askToStop } = Promise.withResolvers<undefined>();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'])
  process.on(signal, () => {
    askToStop(undefined);
  });
void instances.become(instancesOf(service, scale, context));
const endScale = watchScale(runDir, scale, (changed) => {
  void instances.become(instancesOf(service, changed, context));
});
await stopAsked;
endWatch();
endScale();
await instances.stop();
