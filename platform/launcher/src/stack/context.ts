import { join, resolve } from 'node:path';
import { defaultEngines, selectEngines, type EngineName } from '@parley/engines';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';
import { otherBase, refusalOfBase } from './ports.ts';

/** One stack: where its state lives and on which ports it listens. Two stacks differ in both. */
export interface StackContext {
  readonly root: string;
  readonly runDir: string;
  readonly portBase: number;
  /** Those of a default stack when it is not said. */
  readonly engines?: readonly EngineName[];
  /** For the services, besides what this process has. */
  readonly serviceEnv?: Readonly<Record<string, string>>;
}

/** The clone's root folder. */
export const rootDir = resolve(import.meta.dirname, '../../../..');

const defaultPortBase = 4000;
/** The run folder that the environment names, as an absolute path. */
export const runDirFrom = (env: NodeJS.ProcessEnv): string =>
  resolve(rootDir, env.PARLEY_RUN_DIR ?? '.parley');

/** The engines of a stack, each after those that it needs. */
export const enginesOf = ({
  engines = defaultEngines,
}: Pick<StackContext, 'engines'>): readonly EngineName[] => engines;

/** The engines that PARLEY_ENGINES asks for: words as `selectEngines` has them, separated by commas. */
export const enginesFrom = ({ PARLEY_ENGINES: given = '' }: NodeJS.ProcessEnv): readonly EngineName[] => {
  const words = given.split(',').map((word) => word.trim());
  try {
    return selectEngines(words.filter((word) => word !== ''));
  } catch (error) {
    throw new CommandError(
      exitCodes.environment,
      `PARLEY_ENGINES=${given} ${messageOf(error)}. Say what to add to the default ones, +name, or to leave out, -name`,
      error,
    );
  }
};

/** The stack that the environment describes (PARLEY_RUN_DIR, PARLEY_PORT_BASE, PARLEY_ENGINES), else the developer's own. */
export const contextFrom = (env: NodeJS.ProcessEnv): StackContext => {
  const given = env.PARLEY_PORT_BASE ?? String(defaultPortBase);
  const portBase = given.trim() === '' ? Number.NaN : Number(given);
  const refusal = refusalOfBase(portBase);
  if (refusal !== undefined)
    throw new CommandError(
      exitCodes.environment,
      `PARLEY_PORT_BASE=${given} ${refusal}. Take another one, such as PARLEY_PORT_BASE=${otherBase(Number.isInteger(portBase) ? portBase : defaultPortBase)}`,
    );
  return { root: rootDir, runDir: runDirFrom(env), portBase, engines: enginesFrom(env) };
};

/** Files of a run folder that more than one process reads. */
export interface RunFiles {
  /** Who runs this stack: see lock.ts. */
  readonly lock: string;
  readonly endpoints: string;
  /** How long the last start took, and the obtaining of what it started: see start-record.ts. */
  readonly start: string;
  /** How many instances each service shall have: see scale-file.ts. */
  readonly scale: string;
  /** One log file for each engine and instance. */
  readonly logs: string;
  /** What the launcher itself says. */
  readonly launcherLog: string;
  /** `<instance>.json`: the process of each running instance. */
  readonly pids: string;
  /** Temporary files of the engines while they run. */
  readonly tmp: string;
  /** A folder for each instance, with what it starts from instead of the whole log. */
  readonly snapshots: string;
}

export const runFiles = (runDir: string): RunFiles => ({
  lock: join(runDir, 'launcher.json'),
  endpoints: join(runDir, 'endpoints.json'),
  start: join(runDir, 'start.json'),
  scale: join(runDir, 'scale.json'),
  logs: join(runDir, 'logs'),
  launcherLog: join(runDir, 'logs', 'launcher.log'),
  pids: join(runDir, 'pids'),
  tmp: join(runDir, 'tmp'),
  snapshots: join(runDir, 'snapshots'),
});
