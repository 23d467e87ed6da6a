'use client';
// The model runs in a worker of the reader's browser.
import { useEffect, useState } from 'react';
import { loadInWorker } from 'stonechat';
import { defaultModel } from 'stonechat/default-model';

export default function Page() {
  const [story, setStory] = useState('Once upon a time');

  useEffect(() => {
    const controller = new AbortController();
    tell('Once upon a time', controller.signal, setStory).catch((error) => {
      if (error.code !== 'aborted') setStory(error.message);
    });
    return () => controller.abort();
  }, []);

  return <p id="story">{story}</p>;
}

async function tell(prompt, signal, show) {
  const model = await loadInWorker(defaultModel(), { signal });
  try {
    let story = prompt;
    for await (const { text } of model.generate(prompt, { maxTokens: 100, seed: 1, signal })) show((story += text));
  } finally {
    model.dispose();
  }
}
