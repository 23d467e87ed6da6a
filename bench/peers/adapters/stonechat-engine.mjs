// What the adapters share: the contract of ../shared/peers/suite.mjs on stonechat's API.
const ANSWER = { temperature: 0, ignoreEos: true, reusePrefix: false, top: 0, addSpecial: false };

export async function engine(loadModel, source, { threads, ctx, build }, more = {}) {
  const model = await loadModel(source, { threads, contextLength: ctx, build });
  return {
    info: { build: model.info.build, threads: model.info.threads, ...more },
    async generate(ids, n, onFirst) {
      for await (const _ of model.generate(ids, { ...ANSWER, maxTokens: n })) onFirst();
    },
    dispose: () => model.dispose(),
  };
}
