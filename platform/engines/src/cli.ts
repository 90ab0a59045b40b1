import { parseArgs } from 'node:util';
import { bypassProxiesOnLoopback, endProcess, typedPath, watchOutput } from '@parley/cli';
import { doctor } from './doctor.ts';
import { EnvironmentError } from './errors.ts';
import { killLeftovers } from './leftovers.ts';
import { obtainAll, type ObtainProgress } from './obtain.ts';
import { engineNamed, type EngineName, engineNames, isEngineName, portsFor } from './ports.ts';
import { defaultEngines, nodesOf } from './selection.ts';
import { type Engine, startEngine } from './start.ts';
import { orAbort } from './wait.ts';

/** Those that a stack renders a file for. Alone they start from one that is given. */
const isConfigured = (name: EngineName): boolean => engineNamed(name).isConfiguredByStack === true;
const configured = engineNames.filter(isConfigured);

const usage = `usage: node platform/engines/src/cli.ts <start|obtain|doctor> [options]
  start    obtains and starts engines, stays until SIGINT or SIGTERM, then stops them
  obtain   brings engines onto this machine; reads all that is there, obtains again what is damaged, and tries again
           what failed and can be done without (what makes an engine start faster)
  doctor   shows what is there and the command that brings what is not
options
  --only kafka,registry     these engines (of ${engineNames.join(', ')}); without it those of a default stack, at start only those that no stack
                            has to configure
  --port-base 4000          first port of the stack
  --run-dir .parley-engines state and logs
${configured.map((name) => `${`  --${name}-config FILE`.padEnd(28)}what a stack renders for ${name}, which starts alone from it\n`).join('')}exit codes: 0 done, 1 failed, 2 wrong usage, 3 something is missing on this machine
`;

class UsageError extends Error {}

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

const showProgress = ({ name, step, seconds, sizeBytes }: ObtainProgress): void => {
  say(
    `${name}: ${step} (${seconds.toFixed(1)} s${sizeBytes === undefined ? '' : `, ${megabytes(sizeBytes)}`})`,
  );
};

const options = {
  only: { type: 'string' },
  'port-base': { type: 'string', default: '4000' },
  'run-dir': { type: 'string', default: '.parley-engines' },
  help: { type: 'boolean', short: 'h' },
  ...Object.fromEntries(configured.map((name) => [`${name}-config`, { type: 'string' as const }])),
} as const;

const parse = (): ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>> => {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause));
  }
};

type Flags = ReturnType<typeof parse>['values'];

const configPathOf = (flags: Flags, name: EngineName): string | undefined => {
  const given = Object.entries(flags).find(([option]) => option === `${name}-config`)?.[1];
  return typeof given === 'string' ? typedPath(given) : undefined;
};

const namesIn = (only: string | undefined): EngineName[] => {
  const words = only?.split(',') ?? [];
  const wrong = words.filter((word) => !isEngineName(word));
  if (wrong.length > 0) throw new UsageError(`no engine is called ${wrong.join(', ')}`);
  const wanted = words.length === 0 ? [...defaultEngines] : words;
  return engineNames.filter((name) => wanted.includes(name));
};

const portsIn = (base: string): ReturnType<typeof portsFor> => {
  try {
    return portsFor(Number(base));
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause));
  }
};

const abortOnSignals = (): AbortSignal => {
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      abort.abort(new Error('stopped by a signal'));
    });
  return abort.signal;
};

/** Starts engines in order: the registry needs a Kafka that is ready. Stops all on a signal or when one ends. */
const start = async (flags: Flags): Promise<number> => {
  const runDir = typedPath(flags['run-dir']);
  const ports = portsIn(flags['port-base']);
  const canStart = (name: EngineName): boolean =>
    !isConfigured(name) || configPathOf(flags, name) !== undefined;
  const names = namesIn(flags.only).filter((name) => flags.only !== undefined || canStart(name));
  const missing = names.find((name) => !canStart(name));
  if (missing !== undefined) throw new UsageError(`${missing} needs --${missing}-config`);
  const signal = abortOnSignals();
  const asked = new Promise<'asked'>((resolve) => {
    signal.addEventListener('abort', () => {
      resolve('asked');
    });
  });
  const running: Engine[] = [];
  const startAll = async (): Promise<void> => {
    await obtainAll({ only: names, onProgress: showProgress, triesFailedAgain: true, signal });
    await killLeftovers(runDir);
    const startOne = async (name: EngineName): Promise<void> => {
      signal.throwIfAborted();
      const at = Date.now();
      const configPath = configPathOf(flags, name);
      const config = configPath === undefined ? {} : { configPath };
      const engine = await startEngine(name, { runDir, ports, engines: names, ...config });
      running.push(engine);
      await orAbort(engine.ready, signal);
      say(
        `${name}: ready after ${((Date.now() - at) / 1000).toFixed(1)} s, ${megabytes(engine.residentBytes())}`,
      );
    };
    const begun = new Set<EngineName>();
    for (const name of names) {
      const nodes = nodesOf(name).filter((node) => names.includes(node) && !begun.has(node));
      for (const node of nodes) begun.add(node);
      await Promise.all(nodes.map(startOne)); // those of a cluster are ready together, or none is
    }
    say('ready');
  };
  try {
    const started = startAll();
    if ((await Promise.race([started, asked])) === 'asked') {
      await started.catch(() => undefined); // what it has begun is ended, or in `running`
      return 0;
    }
    const ended = running.map((engine) => engine.exited.then(() => engine.name));
    const first = await Promise.race([asked, ...ended]);
    if (first === 'asked') return 0;
    say(`${first} ended; see its log in ${runDir}/logs`);
    return 1;
  } finally {
    await Promise.all([...running].reverse().map((engine) => engine.stop()));
    await killLeftovers(runDir);
  }
};

const showDoctor = async (): Promise<number> => {
  const checks = await doctor();
  for (const { ok, name, version, detail, fix, optionalFor } of checks) {
    const isMissing = !ok && optionalFor === undefined;
    const use = optionalFor === undefined ? undefined : `optional, for ${optionalFor}`;
    const more = [detail, use, fix].filter((text) => text !== undefined);
    process.stdout.write(
      `${[`${ok ? '✓' : isMissing ? '✗' : '–'} ${name} ${version ?? ''}`, ...more].join('  ')}\n`,
    );
  }
  return checks.every(({ ok, optionalFor }) => ok || optionalFor !== undefined) ? 0 : 3;
};

const main = async (): Promise<number> => {
  const { values, positionals } = parse();
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  if (positionals.length !== 1) throw new UsageError('one command, please');
  const [command] = positionals;
  if (command === 'start') return start(values);
  if (command === 'doctor') return showDoctor();
  if (command !== 'obtain') throw new UsageError(`no command is called ${command ?? ''}`);
  await obtainAll({
    only: namesIn(values.only),
    onProgress: showProgress,
    depth: 'contents',
    signal: abortOnSignals(),
  });
  return 0;
};

const exitCodeOf = (error: unknown): number =>
  error instanceof UsageError ? 2 : error instanceof EnvironmentError ? 3 : 1;

const stop = (): void => {
  if (!process.emit('SIGHUP')) process.exit(1);
};
bypassProxiesOnLoopback(process.env);
watchOutput({ closed: stop, failed: stop });

try {
  await endProcess(await main());
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  if (error instanceof UsageError) say(usage);
  await endProcess(exitCodeOf(error));
}
