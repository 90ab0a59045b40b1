import { defineConfig } from 'vitest/config';
import { ledger } from './e2e/src/ledger/reporter.ts';

const exclude = ['**/node_modules/**', '.parley*/**'];

/** What tests without an engine share. */
const unit = {
  setupFiles: './vitest.setup.ts',
  pool: 'threads',
  testTimeout: 30_000,
  expect: { poll: { timeout: 10_000 } },
} as const;

/** A test file's suffix is its level: unit (no engine), int (real engines), e2e (a whole running stack). */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...unit,
          name: 'unit',
          include: ['**/*.unit.spec.ts'],
          exclude: [...exclude, '**/*.isolated.unit.spec.ts'],
          // Files share a thread and its modules: loading those anew for each file takes three times as long as all tests.
          isolate: false,
        },
      },
      {
        // These replace what a process has once: a module, or what OpenTelemetry registers.
        test: { ...unit, name: 'unit-isolated', include: ['**/*.isolated.unit.spec.ts'], exclude },
      },
      {
        test: {
          name: 'int',
          include: ['**/*.int.spec.ts'],
          exclude,
          // For a slow machine: several engines to start, and several waits of two minutes or more.
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        plugins: [ledger()],
        test: {
          name: 'e2e',
          include: ['e2e/**/*.e2e.spec.ts'],
          exclude,
          // Above what a test waits for, so that it says itself what has not happened; a slow machine takes long for all of it.
          testTimeout: 1_200_000,
          hookTimeout: 420_000,
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
          testTimeout: 1_200_000,
          hookTimeout: 420_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
