import { doctor, obtainAll, portsFor, startEngine } from '@parley/engines';
import { join } from 'node:path';
import { formatBytes } from '../cli/table.ts';
import { runFiles, type StackContext } from './context.ts';
import type { EngineHost } from './engine-host.ts';

/** The real engines. `envoyConfig` writes the gateway's bootstrap for a stack and returns its path. */
export const engineHostWith = (envoyConfig: (context: StackContext) => Promise<string>): EngineHost => ({
  obtain: async (say, signal) => {
    signal.throwIfAborted();
    await obtainAll({
      onProgress: ({ name, step, seconds, sizeBytes }) => {
        const size = sizeBytes === undefined ? '' : `, ${formatBytes(sizeBytes)}`;
        if (step !== 'cached') say(`obtaining ${name}: ${step} (${seconds.toFixed(1)} s${size})`);
      },
    });
  },
  start: async (name, context) => {
    const { runDir, portBase } = context;
    const config = name === 'envoy' ? { envoyConfigPath: await envoyConfig(context) } : {};
    const engine = await startEngine(name, { runDir, ports: portsFor(portBase), ...config });
    try {
      await engine.ready;
    } catch (error) {
      await engine.stop();
      throw error;
    }
    const exited = engine.exited.then(({ code, signal }) =>
      signal === null ? `ended with code ${code ?? 0}` : `was ended by ${signal}`,
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
  return checks.map(({ name, ok, version, fix }) => ({ name, ok, version, mend: fix }));
}
