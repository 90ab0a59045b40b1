import { handOver } from './hand-over.ts';

/** `npm run bench -- <benchmark>` */
export const benchCommand = handOver({
  name: 'bench',
  summary: 'measures a claim against a named rival, as a ratio',
  workspace: 'bench',
});
