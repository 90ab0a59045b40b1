import { defineConfig } from 'vitest/config';
import { ledger } from './e2e/src/ledger/reporter.ts';

const exclude = ['**/node_modules/**', '.parley*/**'];

/** A test file's suffix is its level: unit (no engine), int (real engines), e2e (a whole running stack). */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          setupFiles: ['./vitest.setup.ts'],
          include: ['**/*.unit.spec.ts'],
          exclude,
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'int',
          include: ['**/*.int.spec.ts'],
          exclude,
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
      {
        plugins: [ledger()],
        test: {
          name: 'e2e',
          include: ['e2e/**/*.e2e.spec.ts'],
          exclude,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        // Apart from e2e: these need a service mesh, which is another stack, and root.
        plugins: [ledger()],
        test: {
          name: 'mesh',
          include: ['e2e/**/*.mesh.spec.ts'],
          exclude,
          testTimeout: 180_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
