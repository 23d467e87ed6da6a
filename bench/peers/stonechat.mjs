// Adapter for ../shared/peers: copy it to adapters/ there, with STONECHAT set to this project's folder.
//   STONECHAT=/path/to/stonechat node run.mjs --peers stonechat,node-llama-cpp
const { load: loadModel } = await import(`${process.env.STONECHAT}/dist/node.js`);

export const where = 'node';

export async function load(path, { threads, ctx }) {
  const model = await loadModel(path, { threads, contextLength: ctx });
  return {
    info: { build: model.info.build, threads: model.info.threads },
    async generate(ids, n, onFirst) {
      const options = { maxTokens: n, temperature: 0, ignoreEos: true, reusePrefix: false, top: 0, addSpecial: false };
      for await (const _ of model.generate(ids, options)) onFirst();
    },
    dispose: () => model.dispose(),
  };
}
