const loopbackHosts = ['localhost', '127.0.0.1', '::1'];

/** `fetch` reads the variable of either case and takes the lower one first; gRPC has one of its own and knows only lower case. */
const listNames = ['NO_PROXY', 'no_proxy', 'no_grpc_proxy'];

/**
 * Makes sure that nothing asks a proxy for the loopback address, where all of a stack is, in this process and in all that
 * it starts with its environment: NODE_USE_ENV_PROXY and HTTP_PROXY are for what is obtained from outside. Exceptions that
 * a person has named stay.
 */
export const bypassProxiesOnLoopback = (env: NodeJS.ProcessEnv): void => {
  const given = listNames.flatMap((name) => env[name]?.split(/[\s,]+/) ?? []);
  const list = [...new Set([...given, ...loopbackHosts])].filter((host) => host !== '').join(',');
  for (const name of listNames) env[name] = list;
};
