/** Which service is sick, and which only suffers from it. */

/** One service as the last minute shows it. */
export interface ServiceFigures {
  readonly service: string;
  /** Of what it worked on, per second; undefined while nothing was measured. */
  readonly ratePerSecond: number | undefined;
  /** 0 to 1, of what it worked on. */
  readonly errorRatio: number | undefined;
}

/** Calls, or messages, from one service to another. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly kind: 'call' | 'message';
  /** What runs along it: a topic, a queue; undefined for a call. */
  readonly via?: string | undefined;
  readonly ratePerSecond: number;
  /** 0 to 1. */
  readonly errorRatio: number;
}

export type Verdict =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'well' }
  /** It fails, and nothing that it calls does. */
  | { readonly kind: 'cause'; readonly errorRatio: number }
  /** It fails, or its calls do, because of these. */
  | { readonly kind: 'consequence'; readonly errorRatio: number; readonly of: readonly string[] };

/** Fewer errors than that are no news. */
export const ERROR_RATIO_MIN = 0.02;

const isNews = (ratio: number | undefined): boolean => ratio !== undefined && ratio >= ERROR_RATIO_MIN;

/**
 * A service whose requests fail, by its own figures or by those of its callers (one that is away has none), is sick. It
 * is the cause when nothing that it calls is sick; who calls a sick one and fails at it suffers a consequence.
 */
export const diagnose = (
  services: readonly ServiceFigures[],
  edges: readonly Edge[],
): ReadonlyMap<string, Verdict> => {
  const calls = edges.filter(({ kind }) => kind === 'call');
  const failingCalls = calls.filter(({ errorRatio }) => isNews(errorRatio));
  const ratioOf = (service: string): number =>
    Math.max(
      services.find((one) => one.service === service)?.errorRatio ?? 0,
      ...failingCalls.filter(({ to }) => to === service).map(({ errorRatio }) => errorRatio),
    );
  const isSick = (service: string): boolean => isNews(ratioOf(service));
  const causesOf = (service: string, seen: ReadonlySet<string>): readonly string[] => {
    const next = failingCalls.filter(({ from, to }) => from === service && isSick(to) && !seen.has(to));
    return next.flatMap(({ to }) => {
      const deeper = causesOf(to, new Set([...seen, service, to]));
      return deeper.length === 0 ? [to] : deeper;
    });
  };
  return new Map(
    services.map(({ service, ratePerSecond, errorRatio }): [string, Verdict] => {
      const of = [...new Set(causesOf(service, new Set([service])))];
      if (of.length > 0) {
        const outgoing = failingCalls.filter(({ from }) => from === service).map((edge) => edge.errorRatio);
        return [service, { kind: 'consequence', errorRatio: Math.max(errorRatio ?? 0, ...outgoing), of }];
      }
      if (isSick(service)) return [service, { kind: 'cause', errorRatio: ratioOf(service) }];
      return [service, { kind: ratePerSecond === undefined ? 'unknown' : 'well' }];
    }),
  );
};
