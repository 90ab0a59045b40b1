import type { ObtainControl } from './artifacts/cache.ts';
import type { Prerequisite } from './artifacts/debian.ts';

/** TCP ports on 127.0.0.1 by name. */
export type PortsNamed<PortName extends string> = Readonly<Record<PortName, number>>;

/** Where and with what one engine runs. */
export interface EngineContext<PortName extends string = string> {
  /** The stack's run folder; an engine keeps its state in `<runDir>/<name>`. */
  readonly runDir: string;
  readonly ports: PortsNamed<PortName>;
  /** Names of the engines of its stack; without it, a cluster has one node. */
  readonly engines?: readonly string[];
  /** The file that was rendered for it, when its declaration says that it `isConfiguredByStack`. */
  readonly configPath?: string;
  /** File that a Java engine is to write its AOT cache to when it ends; it then starts without one. */
  readonly aotCacheOutput?: string;
}

/** A process to start. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** What the JVM of an engine is to run with. Its AOT cache is made from this, and another of it is another cache. */
export interface JavaProgram {
  /** Of its engine. */
  readonly name: string;
  readonly cacheEntry: string;
  /** Upper bound, such as `256m`. */
  readonly heap: string;
  /** Those of this engine alone. */
  readonly flags: readonly string[];
  /** In the folder of its cache entry, in order; `*` stands for all jars of a folder. */
  readonly classPath: readonly string[];
}

/** A row of the table that ends a start. */
export interface TableRow {
  readonly label: string;
  /** URLs, or `host:port`. */
  readonly addresses: readonly string[];
  /** Shown above the services instead of below them. */
  readonly isEntrance?: boolean;
}

/** Where an engine is found, for whoever is told. */
export interface Addresses {
  /** Its part of endpoints.json, by the keys of `Endpoints` in contracts. */
  readonly endpoints: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** What services find it by: variables of their environment. */
  readonly serviceEnv: Readonly<Record<string, string>>;
  readonly rows: readonly TableRow[];
  /** Its own metrics in Prometheus' format, when it shows some. */
  readonly metrics?: {
    readonly port: number;
    readonly path: string;
    readonly query?: Readonly<Record<string, string>>;
  };
}

/** Whether a stack has an engine: always; unless it is told to do without; or only when it is asked for. */
export type Presence = 'always' | 'default' | 'on request';

/** All that Parley knows of one engine. Everything else (order of starts and stops, ports, table, doctor) derives from it. */
export interface EngineDeclaration<
  Name extends string = string,
  PortName extends string = string,
  NeededPortName extends string = string,
> {
  readonly name: Name;
  readonly version: string;
  readonly presence: Presence;
  /** Distance of each of its ports from the base of a stack; no two engines share one. */
  readonly ports: PortsNamed<PortName>;
  /** Engines that must be ready before it starts, and stop after it. It sees their ports. */
  readonly needs?: readonly { readonly name: string; readonly ports: PortsNamed<NeededPortName> }[];
  /**
   * Of which cluster it is a node, by the name of its first one. Nodes start side by side, see each other's ports, and whoever
   * needs the first one needs all that the stack has.
   */
  readonly cluster?: { readonly name: string; readonly ports: PortsNamed<NeededPortName> };
  /** Name of its entry in the cache, undefined when Debian has it. */
  readonly cacheEntry: string | undefined;
  /** What the machine must have to obtain it; looked at when it is not in the cache. */
  readonly obtainedWith: readonly Prerequisite[];
  /** What the machine must have to run it. */
  readonly runsWith: readonly Prerequisite[];
  /** When it runs on Java, and so starts faster from an AOT cache. */
  readonly java?: JavaProgram;
  /** Services that use it, by name, and so are told its `serviceEnv`. Default: all. */
  readonly users?: readonly string[];
  /** Its configuration follows from the state of a stack, so whoever starts it renders a file: `EngineContext.configPath`. */
  readonly isConfiguredByStack?: boolean;
  readonly readyDeadlineMs: number;
  /** @param engines those of the stack */
  addresses(ports: PortsNamed<PortName | NeededPortName>, engines: readonly string[]): Addresses;
  /** Brings it onto this machine if it is not there. Safe in two processes at once. */
  obtain(control?: ObtainControl): Promise<void>;
  /** Writes its configuration and first state. Called before every start. */
  prepare(context: EngineContext<PortName | NeededPortName>): Promise<Command>;
  /** Whether it does its work now, by asking it for some. Never rejects. */
  isReady(context: EngineContext<PortName>): Promise<boolean>;
  /** The process to send SIGTERM to, when it is not the one that was started. */
  mainPid?(context: EngineContext<PortName>): number | undefined;
  /** What remains to be stopped once its main process has gone. */
  afterStop?(context: EngineContext<PortName>): Promise<void>;
}

/** A declaration with the literal types of its name and ports, by which the rest of this package knows it. */
export const defineEngine = <
  const Name extends string,
  const PortName extends string,
  const NeededPortName extends string = never,
>(
  declaration: EngineDeclaration<Name, PortName, NeededPortName>,
): EngineDeclaration<Name, PortName, NeededPortName> => declaration;

/** Everything listens on the loopback address: a development stack is not for the network. */
export const loopback = '127.0.0.1';

/** Base URL of what listens on a port. */
export const urlOf = (port: number): string => `http://${loopback}:${port}`;
