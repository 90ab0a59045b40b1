/** Runs `count` operations with at most `inFlight` under way; answers how many resolved true. */
export async function withInFlight(
  count: number,
  inFlight: number,
  operation: (index: number) => Promise<boolean>,
): Promise<number> {
  let next = 0;
  let done = 0;
  const lane = async (): Promise<void> => {
    while (next < count) if (await operation(next++)) done++;
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, lane));
  return done;
}
