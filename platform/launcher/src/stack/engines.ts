import { doctor, obtainAll, portsFor, startReady, type ObtainProgress } from '@parley/engines';
import { join } from 'node:path';
import { formatBytes } from '../cli/table.ts';
import { enginesOf, runFiles } from './context.ts';
import type { EngineName } from '@parley/engines';
import type { ConfigRenderer } from './engine-configs.ts';
import type { EngineHost } from './engine-host.ts';
import { stackMark } from '@parley/engines/procfs';

const progressLine = ({ name, step, seconds, sizeBytes }: ObtainProgress): string => {
  const size = sizeBytes === undefined ? '' : `, ${formatBytes(sizeBytes)}`;
  return `obtaining ${name}: ${step} (${seconds.toFixed(1)} s${size})`;
};

/** The real engines, configured for a stack by `rendererOf` where they have to be. */
export const engineHostWith = (rendererOf: (name: EngineName) => ConfigRenderer | undefined): EngineHost => ({
  obtain: (runDir, only, { say, signal }) =>
    obtainAll({
      only,
      signal,
      marks: { [stackMark]: runDir },
      triesFailedAgain: true,
      onProgress: (progress) => {
        if (progress.step !== 'cached') say(progressLine(progress));
      },
    }),
  mend: (only, { say, signal }) =>
    obtainAll({
      only,
      signal,
      depth: 'contents',
      onProgress: (progress) => {
        say(progressLine(progress));
      },
    }),
  start: async (name, context, { signal, say }) => {
    const { runDir, portBase } = context;
    const configPath = await rendererOf(name)?.(context);
    signal.throwIfAborted();
    const engine = await startReady(
      name,
      {
        runDir,
        ports: portsFor(portBase),
        engines: enginesOf(context),
        ...(configPath === undefined ? {} : { configPath }),
      },
      {
        signal,
        endedEarly: () => {
          say(`${name} ended before it was ready; it is started once more`);
        },
      },
    );
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
async function checkEngines(names: readonly EngineName[]): ReturnType<EngineHost['doctor']> {
  const checks = await doctor(names);
  return checks.map(({ name, ok, version, detail, fix, optionalFor }) => ({
    name,
    ok,
    version,
    detail,
    mend: fix,
    ...(optionalFor === undefined ? {} : { optionalFor }),
  }));
}
