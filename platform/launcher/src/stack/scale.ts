import { serviceNames, type ServiceName } from '@parley/contracts/endpoints';
import { z } from 'zod';
import { CommandError, exitCodes } from '../cli/exit.ts';

/** How many instances a service may have: what the ports of a stack have room for. */
export const instancesMax = 8;
/** Of the code in this clone. */
export const defaultVersion = 'dev';
const versionPattern = /^[A-Za-z0-9._-]{1,32}$/;

const Versions = z.array(z.string().regex(versionPattern)).min(1).max(instancesMax).readonly();

/** The version of every instance of every service, by number: how many there are is how many versions. */
export const Scale = z.record(z.enum(serviceNames), Versions).readonly();
export type Scale = z.infer<typeof Scale>;

/** One instance of each service. */
export const oneOfEach: Scale = {
  order: [defaultVersion],
  product: [defaultVersion],
  payment: [defaultVersion],
  notification: [defaultVersion],
  shipping: [defaultVersion],
};

const refuse = (message: string): CommandError => new CommandError(exitCodes.usage, message);
const example = 'such as product=3';

/**
 * Changes a scale by what a person typed: `product=3,payment=2`. Instances that are added have `version`, those that
 * stay keep theirs, and the ones with the highest numbers go first. Exit code 2 for anything else.
 */
export const changeScale = (scale: Scale, typed: string, version: string = defaultVersion): Scale => {
  if (!versionPattern.test(version))
    throw refuse(`--version must be 1 to 32 letters, digits, dots, dashes or underscores, not ${version}`);
  const changed: Record<ServiceName, readonly string[]> = { ...scale };
  for (const part of typed.split(',').map((word) => word.trim())) {
    const [name, count, rest] = part.split('=');
    const service = serviceNames.find((candidate) => candidate === name);
    if (service === undefined || count === undefined || rest !== undefined)
      throw refuse(`${part === '' ? 'nothing' : part} is not <service>=<instances>, ${example}`);
    const wanted = /^\d{1,3}$/.test(count) ? Number(count) : 0;
    if (wanted < 1 || wanted > instancesMax)
      throw refuse(`${service} can have 1 to ${instancesMax} instances, not ${count}`);
    const kept = changed[service].slice(0, wanted);
    changed[service] = [...kept, ...Array.from({ length: wanted - kept.length }, () => version)];
  }
  return changed;
};
