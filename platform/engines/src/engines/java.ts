/**
 * Flags for an engine that shares two cores: the first compiler only, one collector thread, a bounded heap such as `256m`.
 * Its temporary files stay in the run folder, which a stop empties even after a kill; no `hsperfdata` in the system's.
 */
export const smallJava = ({ heap, tmpDir }: { readonly heap: string; readonly tmpDir: string }): string[] => [
  `-Xmx${heap}`,
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:-UsePerfData',
  `-Djava.io.tmpdir=${tmpDir}`,
];
