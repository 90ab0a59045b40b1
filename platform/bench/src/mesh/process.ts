/* One after the other, reads a URL so many times and prints the latencies in ms as JSON. Runs in a namespace of the mesh. */
import { Agent, request } from 'node:http';

const [, , url = '', calls = '0'] = process.argv;
const timeoutMs = 10_000;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

const call = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const sentAt = performance.now();
    const sent = request(url, { agent, timeout: timeoutMs }, (response) => {
      response.resume().on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - sentAt);
        else reject(new Error(`answered with ${response.statusCode ?? 0}`));
      });
    });
    sent.on('timeout', () => sent.destroy(new Error('timeout')));
    sent.on('error', reject);
    sent.end();
  });

const latenciesMs: number[] = [];
for (let made = 0; made < Number(calls); made++) latenciesMs.push(await call());
agent.destroy();
process.stdout.write(JSON.stringify(latenciesMs));
