import type { ObtainControl } from './artifacts/cache.ts';
import type { EngineName, Ports } from './ports.ts';

/** Where and with what one engine runs. */
export interface EngineContext {
  /** The stack's run folder; an engine keeps its state in `<runDir>/<name>`. */
  readonly runDir: string;
  readonly ports: Ports;
  /** Envoy's bootstrap; Envoy alone needs it. */
  readonly envoyConfigPath?: string;
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
  readonly name: EngineName;
  readonly cacheEntry: string;
  /** Upper bound, such as `256m`. */
  readonly heap: string;
  /** Those of this engine alone. */
  readonly flags: readonly string[];
  /** In the folder of its cache entry, in order; `*` stands for all jars of a folder. */
  readonly classPath: readonly string[];
}

/** All that Parley knows of one engine. */
export interface Engine {
  readonly name: EngineName;
  readonly version: string;
  /** Name of its entry in the cache, undefined when Debian has it. */
  readonly cacheEntry: string | undefined;
  /** Engines that must be ready before it starts. */
  readonly needs?: readonly EngineName[];
  /** When it runs on Java, and so starts faster from an AOT cache. */
  readonly java?: JavaProgram;
  /** Brings it onto this machine if it is not there. Safe in two processes at once. */
  obtain(control?: ObtainControl): Promise<void>;
  /** Writes its configuration and first state. Called before every start. */
  prepare(context: EngineContext): Promise<Command>;
  /** Whether it does its work now, by asking it for some. Never rejects. */
  isReady(context: EngineContext): Promise<boolean>;
  readonly readyDeadlineMs: number;
  /** The process to send SIGTERM to, when it is not the one that was started. */
  mainPid?(context: EngineContext): number | undefined;
  /** What remains to be stopped once its main process has gone. */
  afterStop?(context: EngineContext): Promise<void>;
}
