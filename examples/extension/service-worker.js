// Answers chrome.runtime.sendMessage({ prompt }). A service worker has no import() and no workers: stonechat/static needs neither.
import { load } from './stonechat/static.js';
import { defaultModel } from './stonechat/default-model.js';

let loading;

/** Loaded at the first message; a failed load is forgotten. */
function model() {
  loading ??= load(defaultModel(), { kernels: (build, shared, set) => fetch(`stonechat/wasm/${set}/${build}.wasm`) }).catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function tell(prompt) {
  const session = (await model()).createSession();
  try {
    let story = prompt;
    for await (const { text } of session.generate(prompt, { maxTokens: 100, seed: 1 })) story += text;
    return { story };
  } catch (error) {
    return { error: error.message };
  } finally {
    session.dispose();
  }
}

chrome.runtime.onMessage.addListener(({ prompt }, _sender, answer) => {
  tell(prompt).then(answer);
  return true; // the answer comes later
});
