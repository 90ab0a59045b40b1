import type { EngineName } from '@parley/engines';
import type { StackContext } from './context.ts';

/** One engine that runs and was found ready. */
export interface RunningEngine {
  readonly name: EngineName;
  readonly logPath: string;
  /** Resolves with how it ended ("ended with code 1"), by itself or by `stop`. Never rejects. */
  readonly exited: Promise<string>;
  /** Stops it within its own bound; resolves when its processes are gone. */
  stop(): Promise<void>;
}

/** One line of `doctor`: `mend` is the command that mends what is missing. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly version: string | undefined;
  /** What is out of the ordinary, in a few words. */
  readonly detail: string | undefined;
  readonly mend: string | undefined;
  /** What alone needs it; a stack starts and runs without. Absent: every stack needs it. */
  readonly optionalFor?: string;
}

/** Who is told what goes on, and what ends it. */
export interface Progress {
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** What the launcher needs from whoever has the engines. */
export interface EngineHost {
  /**
   * Brings engines onto this machine, or finds them there; says each step. Rejects with what to type when it may not.
   * Its tools carry the mark of `runDir`, so that those of a launcher that was killed are found.
   */
  obtain(runDir: string, names: readonly EngineName[], progress: Progress): Promise<void>;
  /**
   * Brings engines onto this machine too, but reads through all that is there, obtains again what is damaged, and
   * tries again at once what failed and can be done without: the AOT caches.
   */
  mend(names: readonly EngineName[], progress: Progress): Promise<void>;
  /**
   * Starts one engine and waits until it is ready; one that ends by itself before that is started once more, which is
   * said. Rejects with the last lines of its log when it does not get there; an abort ends the wait. Whenever it rejects, nothing of the engine runs.
   */
  start(name: EngineName, context: StackContext, progress: Progress): Promise<RunningEngine>;
  /** Looks for engines and for what they need of this machine. */
  doctor(names: readonly EngineName[]): Promise<readonly Check[]>;
}

/** Makes a development token for a customer, with the key of the run folder; makes the key too at the first call. */
export type MintToken = (of: {
  readonly runDir: string;
  readonly sub: string;
  readonly ttlSeconds: number;
}) => Promise<string>;
