/** Flags for an engine that shares two cores: the first compiler only, one collector thread, a bounded heap such as `256m`. */
export const smallJava = (heap: string): string[] => [
  `-Xmx${heap}`,
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
];
