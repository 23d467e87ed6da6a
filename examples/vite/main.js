// The model lives in a worker: the page stays responsive while it loads and writes.
import { loadInWorker } from 'stonechat';
import { defaultModel } from 'stonechat/default-model';

const form = document.querySelector('form');
const bar = document.querySelector('progress');
const story = document.querySelector('#story');

const loading = loadInWorker(defaultModel(), {
  onProgress({ done, total }) {
    bar.hidden = done === total;
    bar.value = done / total;
  },
});

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const { prompt, stop } = form.elements;
  const controller = new AbortController();
  stop.onclick = () => controller.abort();
  stop.disabled = false;
  story.textContent = prompt.value;
  try {
    const model = await loading; // what is asked for before the model is there waits here
    for await (const { text } of model.generate(prompt.value, { maxTokens: 200, seed: 1, signal: controller.signal })) story.append(text);
  } catch (error) {
    if (error.code !== 'aborted') story.textContent = error.message;
  }
  stop.disabled = true;
});
