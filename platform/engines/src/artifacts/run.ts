import { spawn } from 'node:child_process';
import { endGroup } from '../process-group.ts';

const keptBytes = 4000;
const termWaitMs = 3000;

/** What the caller of a tool decides, passed through from whoever obtains: it does not change what the tool does. */
export interface RunControl {
  /** Aborting ends the tool with all its children; the promise then rejects with the reason. */
  readonly signal?: AbortSignal | undefined;
  /** Added to the tool's environment, above all marks by which a killed launcher's children are found. */
  readonly marks?: Readonly<Record<string, string>> | undefined;
}

/** What keeps Maven's Java from leaving `hsperfdata` in the system's temporary folder. */
export const withoutPerfData = (): Record<string, string> => ({
  MAVEN_OPTS: `${process.env.MAVEN_OPTS ?? ''} -XX:-UsePerfData`.trim(), // its script splits at blanks: no path here
});

/** How to run one tool. */
export interface RunOptions extends RunControl {
  readonly cwd?: string;
  /** Milliseconds after which it is killed. */
  readonly deadlineMs: number;
}

/**
 * Runs a tool to its end and resolves with its output (last 4000 characters). Rejects with that output on another exit
 * code than 0, a missing tool, the deadline or an abort. The tool is its own process group, which has then ended as a whole.
 */
export const run = (command: string, args: readonly string[], options: RunOptions): Promise<string> => {
  const { cwd, deadlineMs, signal, marks = {} } = options;
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, ...marks },
      ...(cwd === undefined ? {} : { cwd }),
    });
    let ending: Promise<void> | undefined;
    const end = (): void => {
      if (child.pid !== undefined) ending ??= endGroup(child.pid, termWaitMs);
    };
    const deadline = setTimeout(end, deadlineMs);
    signal?.addEventListener('abort', end);
    const settle = async (): Promise<void> => {
      clearTimeout(deadline);
      signal?.removeEventListener('abort', end);
      await ending;
    };
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-keptBytes);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => {
      void settle();
      reject(error);
    });
    child.on('close', (code, endedBy) => {
      void settle().then(() => {
        if (signal?.aborted === true)
          reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
        else if (code === 0) resolve(output);
        else reject(new Error(`${command} ended with ${endedBy ?? code ?? 'nothing'}:\n${output}`));
      });
    });
  });
};
