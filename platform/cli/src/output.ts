/** What happens when standard output or standard error cannot be written. */
export interface OutputFailures {
  /** The reader has gone (`npm run log -- list order | head`): it has seen enough, so nothing is said. */
  readonly closed: () => void;
  /** Anything else, such as a full disk: it was said on standard error, and the exit code will not be 0. */
  readonly failed: () => void;
}

const FAILED = 1;

/**
 * Watches both output streams of the process. Lost output is never a success: unless the reader went away, the process
 * ends with a non-zero code, whatever its command answers.
 */
export const watchOutput = ({ closed, failed }: OutputFailures): void => {
  let isSaid = false;
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') {
        closed();
        return;
      }
      if (isSaid) return;
      isSaid = true;
      process.once('exit', (code) => {
        if (code === 0) process.exitCode = FAILED;
      });
      const name = stream === process.stdout ? 'standard output' : 'standard error';
      process.stderr.write(`✗ ${name} cannot be written: ${error.message}\n`);
      failed();
    });
};

/** Ends the process once its output has been handed over, so that an error of the last line still counts. */
export const endProcess = async (exitCode: number): Promise<never> => {
  process.exitCode = exitCode;
  await new Promise<void>((resolve) => {
    process.stdout.write('', () => {
      setImmediate(resolve); // behind the stream's error event
    });
  });
  return process.exit();
};
