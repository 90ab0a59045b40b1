/** One run of the codec benchmark in a process of its own, so that no side runs on what the other has warmed up. */
import { runCodecJob, type Job } from './sides.ts';

const jobs: readonly Job[] = ['codec-encode', 'avsc-encode', 'codec-decode', 'avsc-decode'];
const job = jobs.find((known) => known === process.argv[2]);
if (job === undefined) throw new TypeError(`which job? ${jobs.join(', ')}`);
process.stdout.write(`${JSON.stringify(await runCodecJob(job))}\n`);
