import { stringOption, type OptionValues } from '../cli/command.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { refusalOfBase, type HasPortBase } from '../stack/ports.ts';
import { changeScale, oneOfEach, type Scale } from '../stack/scale.ts';

/** `--scale`, of the commands that start a stack. */
export const scaleOption = { scale: { type: 'string' } } as const;
export const scaleHelp = '--scale product=3,payment=2    how many instances services have (1 each)';

/** The scale that `--scale` asks for; exit code 2 when it is none, 3 when the ports of the stack have no room for it. */
export const scaleFrom = (values: OptionValues, { portBase }: HasPortBase): Scale => {
  const typed = stringOption(values, 'scale');
  const scale = typed === undefined ? oneOfEach : changeScale(oneOfEach, typed);
  const refusal = refusalOfBase(portBase, scale);
  if (refusal !== undefined)
    throw new CommandError(exitCodes.environment, `port base ${portBase} ${refusal}`);
  return scale;
};
