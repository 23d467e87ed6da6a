// Loads with two threads, generates, waits, and ends without dispose(): idle workers must neither burn CPU time nor keep
// the process alive. Prints the threads, and the CPU time of a second of waiting in ms.
import { load } from 'stonechat';

const WAIT_MS = 1000;

const model = await load(process.argv[2]!, { threads: 2 });
for await (const _ of model.generate('Once', { maxTokens: 4 }));
const before = process.cpuUsage();
await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ threads: model.info.threads, idleMs: (user + system) / 1000 }));
