// bench/batch.ts
import { parseArgs } from "node:util";
import { load } from "../dist/node.js";
var { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sessions: { type: "string", default: "8" },
    tokens: { type: "string", default: "48" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "1" },
    build: { type: "string", default: "relaxed" },
    peer: { type: "boolean", default: false },
    prompt: { type: "string", default: "3200" }
  }
});
var [count, tokens, rounds, threads, long] = [values.sessions, values.tokens, values.rounds, values.threads, values.prompt].map(Number);
var median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
var promptOf = (seed, length = 16) => Array.from({ length }, (_, i) => 300 + (i * 7919 + seed * 131) % 2e4);
async function seconds(work) {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1e3;
}
async function ours(path) {
  const model = await load(path, { threads, build: values.build, contextLength: 4096 });
  const options = { temperature: 0, ignoreEos: true, top: 0, maxTokens: tokens, reusePrefix: false };
  const sessions = Array.from({ length: count }, () => model.createSession());
  const say = (i) => sessions[i].generate(promptOf(i), options).text();
  const short = () => sessions[0].generate(promptOf(0), { ...options, maxTokens: 40 }).text();
  return {
    turns: async () => {
      for (let i = 0; i < count; i++) await say(i);
    },
    together: async () => void await Promise.all(sessions.map((_, i) => say(i))),
    beside: async () => {
      const alone = await seconds(short);
      const prompt = sessions[1].generate(promptOf(9, long), { ...options, maxTokens: 1 }).text();
      const took = await seconds(short);
      await prompt;
      return [alone, took];
    },
    dispose: () => model.dispose()
  };
}
async function theirs(path) {
  const { getLlama } = await import("node-llama-cpp");
  const llama = await getLlama({ gpu: false, maxThreads: threads, logLevel: "error" });
  const model = await llama.loadModel({ modelPath: path });
  const context = await model.createContext({ sequences: count, contextSize: 512, threads, batchSize: 64 * count });
  const sequences = Array.from({ length: count }, () => context.getSequence());
  const say = async (i) => {
    await sequences[i].clearHistory();
    let left = tokens;
    for await (const token of sequences[i].evaluate(promptOf(i), { temperature: 0 })) {
      void token;
      if (--left <= 0) break;
    }
  };
  return {
    turns: async () => {
      for (let i = 0; i < count; i++) await say(i);
    },
    together: async () => void await Promise.all(sequences.map((_, i) => say(i))),
    dispose: () => model.dispose()
  };
}
async function measure(engine) {
  await engine.turns();
  await engine.together();
  const times = { turns: [], together: [] };
  for (let round = 0; round < rounds; round++) for (const kind of ["turns", "together"]) times[kind].push(await seconds(engine[kind]));
  return { turns: count * tokens / median(times.turns), together: count * tokens / median(times.together) };
}
var line = (name, { turns, together }) => `${name}: ${count} sessions, ${turns.toFixed(1)} tokens/s by turns, ${together.toFixed(1)} together: ${(together / turns).toFixed(2)} times`;
for (const path of positionals) {
  const name = path.split("/").at(-1);
  const engine = await ours(path);
  console.log(line(name, await measure(engine)));
  const pairs = [];
  for (let i = 0; i < 3; i++) pairs.push(await engine.beside());
  const [alone, beside] = [median(pairs.map(([first]) => first)), median(pairs.map(([, second]) => second))];
  console.log(`${name}: 40 tokens alone ${alone.toFixed(2)} s, beside a prompt of ${long} tokens ${beside.toFixed(2)} s: ${(beside / alone).toFixed(2)} times`);
  await engine.dispose();
  if (!values.peer) continue;
  const peer = await theirs(path);
  console.log(line(`${name} in node-llama-cpp`, await measure(peer)));
  await peer.dispose();
}
