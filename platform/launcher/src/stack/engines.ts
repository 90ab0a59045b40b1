import { doctor, obtainAll, portsFor, startEngine, type ObtainProgress } from '@parley/engines';
import { join } from 'node:path';
import { formatBytes } from '../cli/table.ts';
import { runFiles, type StackContext } from './context.ts';
import type { EngineHost } from './engine-host.ts';
import { stackMark } from '@parley/engines/procfs';
import { orAbort } from '@parley/engines/wait';

const progressLine = ({ name, step, seconds, sizeBytes }: ObtainProgress): string => {
  const size = sizeBytes === undefined ? '' : `, ${formatBytes(sizeBytes)}`;
  return `obtaining ${name}: ${step} (${seconds.toFixed(1)} s${size})`;
};

/** The real engines. `envoyConfig` writes the gateway's bootstrap for a stack and returns its path. */
export const engineHostWith = (envoyConfig: (context: StackContext) => Promise<string>): EngineHost => ({
  obtain: (runDir, { say, signal }) =>
    obtainAll({
      signal,
      marks: { [stackMark]: runDir },
      triesFailedAgain: true,
      onProgress: (progress) => {
        if (progress.step !== 'cached') say(progressLine(progress));
      },
    }),
  mend: ({ say, signal }) =>
    obtainAll({
      signal,
      depth: 'contents',
      onProgress: (progress) => {
        say(progressLine(progress));
      },
    }),
  start: async (name, context, signal) => {
    const { runDir, portBase } = context;
    const config = name === 'envoy' ? { envoyConfigPath: await envoyConfig(context) } : {};
    signal.throwIfAborted();
    const engine = await startEngine(name, { runDir, ports: portsFor(portBase), ...config });
    try {
      await orAbort(engine.ready, signal);
    } catch (error) {
      await engine.stop();
      throw error;
    }
    const exited = engine.exited.then(({ code, signal: endedBy }) =>
      endedBy === null ? `ended with code ${code ?? 0}` : `was ended by ${endedBy}`,
    );
    return {
      name,
      logPath: join(runFiles(runDir).logs, `${name}.log`),
      exited,
      stop: () => engine.stop(),
    };
  },
  doctor: checkEngines,
});

/** Looks only: nothing is installed, obtained or started. */
async function checkEngines(): ReturnType<EngineHost['doctor']> {
  const checks = await doctor();
  return checks.map(({ name, ok, version, detail, fix }) => ({ name, ok, version, detail, mend: fix }));
}
