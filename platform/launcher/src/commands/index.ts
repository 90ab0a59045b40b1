import type { Command } from '../cli/command.ts';
import { testCommand } from './test.ts';

/** Every command, in the order in which --help lists them. */
export const commands: readonly Command[] = [testCommand];
