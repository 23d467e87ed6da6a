// Reproduces the default model: npm run train:default -- FOLDER STORIES.txt … (texts, <|endoftext|> between stories).
// FOLDER then holds training.txt and held-out.txt (which training never sees, not even to choose among checkpoints), the model as f32 and as it
// ships, the report. Run again, it goes on where it was.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const [folder, ...texts] = process.argv.slice(2);
if (!folder || texts.length === 0) {
  console.error('npm run train:default -- FOLDER STORIES.txt …');
  process.exit(2);
}
const { name, config, options, type } = JSON.parse(readFileSync(join(here, 'default-model.json'), 'utf8'));
const at = (file) => join(folder, file);
const SEPARATOR = '<|endoftext|>';
/** One story in so many is never learnt from. */
const HELD_OUT = 20;

/** FNV-1a over the UTF-8 bytes: whether a story is held out depends on its text alone, not on its place or its file. */
function hash(text) {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193);
  return value >>> 0;
}

function write(file, stories) {
  writeFileSync(`${at(file)}.partial`, stories.map((story) => `${story}\n${SEPARATOR}\n`).join(''));
  renameSync(`${at(file)}.partial`, at(file));
  console.log(`${at(file)}: ${stories.length} stories`);
}

function stonechat(...args) {
  const { status } = spawnSync(process.execPath, [join(here, '../dist/cli.js'), ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

mkdirSync(folder, { recursive: true });
const stories = texts.flatMap((path) => readFileSync(path, 'utf8').split(SEPARATOR)).map((story) => story.trim()).filter(Boolean);
const heldOut = (story) => hash(story) % HELD_OUT === 0;
write('training.txt', stories.filter((story) => !heldOut(story)));
write('held-out.txt', stories.filter(heldOut));
writeFileSync(at('config.json'), JSON.stringify(config));

const flags = Object.entries(options).flatMap(([option, value]) => [`--${option}`, String(value)]);
stonechat('train', at('training.txt'), '-o', at('model-f32.gguf'), '--config', at('config.json'), '--name', name, ...flags, '--resume', ...(process.stdout.isTTY ? [] : ['--json']));
stonechat('quantize', at('model-f32.gguf'), at('model.gguf'), '--type', type, '--text', at('held-out.txt'));
