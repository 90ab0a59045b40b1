import { processesWith, stackMark } from '@parley/engines/procfs';

/** Marks turbo and everything below it, besides the mark of the stack. */
export const servicesMark = { name: 'PARLEY_PART', value: 'services' } as const;

/** Which processes of a stack: all of them, or turbo with the services. */
export type Part = 'all' | 'services';

/** Pids of all processes that belong to the stack in `runDir`, or to a part of it, this process excepted. */
export const supervisedPids = (runDir: string, part: Part = 'all'): number[] =>
  processesWith([
    `${stackMark}=${runDir}`,
    ...(part === 'all' ? [] : [`${servicesMark.name}=${servicesMark.value}`]),
  ]);
