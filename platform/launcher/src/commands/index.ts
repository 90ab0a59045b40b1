import type { Command } from '../cli/command.ts';
import { benchCommand } from './bench.ts';
import { cleanCommand } from './clean.ts';
import { downCommand } from './down.ts';
import { testCommand } from './test.ts';

/** Every command, in the order in which --help lists them. */
export const commands: readonly Command[] = [downCommand, cleanCommand, testCommand, benchCommand];
