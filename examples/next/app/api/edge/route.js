import { load } from 'stonechat';
import { defaultModel } from 'stonechat/default-model';

export const runtime = 'edge';

let loading;

/** Loaded once for all requests; a failed load is forgotten, so that the next request tries again. */
function model() {
  loading ??= load(defaultModel()).catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

export async function GET(request) {
  const prompt = new URL(request.url).searchParams.get('prompt') ?? 'Once upon a time';
  const session = (await model()).createSession();
  try {
    let story = prompt;
    for await (const { text } of session.generate(prompt, { maxTokens: 100, seed: 1, signal: request.signal })) story += text;
    return new Response(story);
  } finally {
    session.dispose();
  }
}
