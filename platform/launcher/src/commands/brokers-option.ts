import { brokerCounts, brokersIn, brokersOfData, withBrokers } from '@parley/engines';
import { stringOption, type OptionValues } from '../cli/command.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { enginesOf, type StackContext } from '../stack/context.ts';

/** `--brokers`, of the commands that start a stack. */
export const brokersOption = { brokers: { type: 'string' } } as const;
export const brokersHelp =
  '--brokers 3                      Kafka as three brokers with three copies of everything (1; a run folder with data keeps its number)';

const counted = (brokers: number): string => `${brokers} Kafka broker${brokers === 1 ? '' : 's'}`;

/**
 * The stack with as many brokers as `--brokers` asks for, else as the data of its run folder has. Exit code 2 for a number
 * that there cannot be, 3 when the data has another one: who votes in a cluster is written into it.
 */
export const withBrokersFrom = (values: OptionValues, context: StackContext): StackContext => {
  const typed = stringOption(values, 'brokers');
  const ofData = brokersOfData(context.runDir);
  if (typed !== undefined && !brokerCounts.some((count) => String(count) === typed))
    throw new CommandError(
      exitCodes.usage,
      `--brokers ${typed} is not one of ${brokerCounts.join(', ')}. A stack has one broker, or three, of which one may be away`,
    );
  const asked = typed === undefined ? undefined : Number(typed);
  if (asked !== undefined && ofData !== undefined && asked !== ofData)
    throw new CommandError(
      exitCodes.environment,
      `the data in ${context.runDir} is that of ${counted(ofData)}, and --brokers asks for ${asked}. Start without --brokers, give the data up (npm run down, npm run clean), or start beside it: PARLEY_RUN_DIR=.parley-${asked} PARLEY_PORT_BASE=5000`,
    );
  const engines = enginesOf(context);
  return { ...context, engines: withBrokers(engines, asked ?? ofData ?? brokersIn(engines)) };
};
