/**
 * Envoy's command line for one rendered bootstrap. Hot restart is off, since several Envoys on one host would meet in
 * it; one worker; logs are written within 200 ms, not after 10 s.
 */
export const envoyArguments = (configPath: string): readonly string[] => [
  '-c',
  configPath,
  '--disable-hot-restart',
  '--concurrency',
  '1',
  '-l',
  'info',
  '--file-flush-interval-msec',
  '200',
];
