import { nodeHost } from '../host/node.js';
import { createStonechat, type Stonechat } from './load.js';

const stonechat = createStonechat(nodeHost());

/**
 * Loads a model into memory, ready to generate.
 * @throws StonechatError `bad-option`, `not-found`, `bad-file`, `truncated`, `unsupported`, `network`, `out-of-memory`, `aborted`.
 */
export const load: Stonechat['load'] = stonechat.load;

/** The memory that `load` would take, read from the file's header alone. */
export const estimate: Stonechat['estimate'] = stonechat.estimate;

/** Only the tokenizer of a model, or of a tokenizer file. */
export const loadTokenizer: Stonechat['loadTokenizer'] = stonechat.loadTokenizer;
