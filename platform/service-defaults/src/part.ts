import type { Service } from '@parley/service';

/** A part that a service is not ready without, and that ends with it. */
interface Part {
  health(): { readonly ready: boolean; readonly waitingFor?: string | undefined };
  close(options: { readonly deadlineMs: number }): Promise<void>;
}

/** Adds a part to the readiness and to the drain of a service. Parts are closed in reverse order of being added. */
export const addPart = (service: Service, name: string, part: Part): void => {
  service.readiness.add(name, () => {
    const { ready, waitingFor } = part.health();
    return { ready, detail: waitingFor };
  });
  service.onStop(name, ({ deadlineMs }) => part.close({ deadlineMs }));
};
