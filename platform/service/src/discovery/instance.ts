/** One process of a service, as a registry lists it. */
export interface Instance {
  /** Name of the service that it is one of. */
  readonly service: string;
  /** Unique among the instances of the service; the same process keeps it. */
  readonly id: string;
  readonly version: string;
  readonly host: string;
  /** Those that are known: a list of gRPC addresses, say, knows no other. */
  readonly ports: {
    readonly http?: number | undefined;
    readonly ops?: number | undefined;
    readonly grpc?: number | undefined;
  };
}

/**
 * The instances of a service that may be called now. Answers at once, from a list that somebody else keeps up to date;
 * the same array as long as nothing has changed, if possible. Empty: none is known.
 */
export type Resolve = (service: string) => readonly Instance[];
