// Loads with two threads, generates, and ends without dispose(): idle workers must not keep the process alive.
import { load } from 'stonechat';

const model = await load(process.argv[2]!, { threads: 2 });
for await (const _ of model.generate('Once', { maxTokens: 4 }));
console.log(`threads: ${model.info.threads}`);
