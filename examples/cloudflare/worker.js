// Streams a story. Try it: curl -N 'http://localhost:8787/?prompt=Once+upon+a+time'
import { load } from 'stonechat';
import { defaultModel } from 'stonechat/default-model';

let loading;

/** Loaded once for all requests; a failed load is forgotten, so that the next request tries again. */
function model() {
  loading ??= load(defaultModel(), { contextLength: 512 }).catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/** The session ends with its stream: at the end, at an error, and when the reader goes away. */
async function* story(prompt, signal) {
  const session = (await model()).createSession();
  try {
    const encoder = new TextEncoder();
    yield encoder.encode(prompt);
    for await (const { text } of session.generate(prompt, { maxTokens: 100, seed: 1, signal })) yield encoder.encode(text);
  } finally {
    session.dispose();
  }
}

export default {
  async fetch(request) {
    const prompt = new URL(request.url).searchParams.get('prompt') ?? 'Once upon a time';
    const body = ReadableStream.from(story(prompt, request.signal));
    return new Response(body, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
  },
};
