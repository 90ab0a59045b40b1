/** Runs what is asked for in one turn of the event loop together in the next: what they send can travel together. */
const due: (() => void)[] = [];

export function inNextTurn(callback: () => void): void {
  if (due.push(callback) > 1) return;
  setImmediate(() => {
    for (const one of due.splice(0)) one();
  });
}
