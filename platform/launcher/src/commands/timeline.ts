import { handOver } from './hand-over.ts';

/** `npm run replay` */
export const replayCommand = handOver({
  name: 'replay',
  summary: 'rebuilds read models from the log, and compares them with what the services serve',
  workspace: 'timeline',
  before: ['replay'],
});

/** `npm run log -- <command>` */
export const logCommand = handOver({
  name: 'log',
  summary: 'lists, shows, explains, exports and imports the log',
  workspace: 'timeline',
  before: ['log'],
});
