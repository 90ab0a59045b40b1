import { resolve } from 'node:path';

/**
 * A path as the person meant it: relative to the folder in which the command was typed. npm runs every script in the
 * folder of package.json and keeps that folder in INIT_CWD; a process that was started elsewhere, without npm, or with
 * npm's variables left over from another command, counts from its own working folder.
 */
export const typedPath = (
  path: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
  cwd = process.cwd(),
): string => resolve(env.npm_config_local_prefix === cwd ? (env.INIT_CWD ?? cwd) : cwd, path);
