// node story.mjs [PROMPT] [MODEL]: continues a prompt, by default with the model of the package.
import { load } from 'stonechat';
import { defaultModel } from 'stonechat/default-model';

const [prompt = 'Once upon a time', path] = process.argv.slice(2);
const model = await load(path ?? defaultModel());

process.stdout.write(prompt);
for await (const { text } of model.generate(prompt, { maxTokens: 100, seed: 1 })) process.stdout.write(text);
process.stdout.write('\n');
model.dispose();
