const usual = 'npm run dev';

/**
 * The command that a person typed and may be told to type again: `npm run up`, `npm test`. npm says it to every process
 * below it; `npm run dev` when none of the clone's commands was typed.
 */
export const typedCommand = (env: NodeJS.ProcessEnv = process.env): string => {
  const name = /\bbootstrap\.mjs ([a-z]+)/.exec(env.npm_lifecycle_script ?? '')?.[1];
  if (name === undefined) return usual;
  return name === 'test' ? 'npm test' : `npm run ${name}`;
};

/** The command that starts a stack: the typed one when it is one, else `npm run dev`. */
export const startCommand = (env: NodeJS.ProcessEnv = process.env): string => {
  const typed = typedCommand(env);
  return typed === 'npm run up' ? typed : usual;
};
