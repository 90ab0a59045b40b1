import { messageOf } from '../cli/exit.ts';
import { capture, isCaptured, release, renewToken, startSidecar, type SidecarOptions } from './sidecar.ts';
import type { MeshProcess } from './processes.ts';

/** Half of what a token lives. */
const renewEveryMs = 12 * 3600_000;

/** The sidecars of a mesh: all there, or none. */
export interface Sidecars {
  /** Starts one at each node, and then has each node's connections go through it. */
  start(): Promise<void>;
  /** Takes the rules away and ends the sidecars: services run on and reach each other directly. */
  stop(): Promise<void>;
  readonly running: () => readonly MeshProcess[];
}

/** Sidecars for every node that has an identity. */
export const sidecarsOf = (options: SidecarOptions): Sidecars => {
  const nodes = options.mesh.nodes.filter(isCaptured);
  const running: MeshProcess[] = [];
  let renewal: NodeJS.Timeout | undefined;
  const renew = (): void => {
    for (const node of nodes)
      void renewToken(options.mesh, node).catch((error: unknown) => {
        options.output.bad(`the token of ${node.name} could not be renewed: ${messageOf(error)}`);
      });
  };
  return {
    running: () => running,
    start: async () => {
      if (running.length > 0) return;
      const results = await Promise.allSettled(nodes.map((node) => startSidecar(options, node)));
      for (const result of results) if (result.status === 'fulfilled') running.push(result.value);
      for (const result of results) if (result.status === 'rejected') throw result.reason;
      await Promise.all(nodes.map((node) => capture(options, node)));
      renewal = setInterval(renew, renewEveryMs);
    },
    stop: async () => {
      clearInterval(renewal);
      if (running.length > 0) await Promise.allSettled(nodes.map((node) => release(options, node)));
      await Promise.all(running.splice(0).map((sidecar) => sidecar.stop()));
    },
  };
};
