// A page of an extension may start workers, but only from its own files: `modelWorkerUrl` and `workerUrl` name them.
import { loadInWorker } from './stonechat/stonechat.browser.js';
import { defaultModel } from './stonechat/default-model.js';

const story = document.querySelector('#story');

async function tell(prompt) {
  const model = await loadInWorker(defaultModel(), {
    modelWorkerUrl: 'stonechat/worker/model-program.js',
    workerUrl: 'stonechat/worker/program.js',
  });
  for await (const { text } of model.generate(prompt, { maxTokens: 100, seed: 1 })) story.append(text);
  model.dispose();
}

tell(story.textContent).catch((error) => (story.textContent = error.message));
