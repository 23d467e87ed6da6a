import { inputFiles } from '../files/inputs.js';
import type { ModelInput } from '../files/index.js';
import type { Host } from '../host/host.js';

/**
 * Before work begins: that nothing which is read would be written over. `inputs`: models, tokenizers, adapters, texts by their places.
 * @throws StonechatError `bad-option`, `unavailable`.
 */
export async function checkPlaces(host: Host, outputs: readonly (string | undefined)[], inputs: readonly (ModelInput | undefined)[]): Promise<void> {
  const written = outputs.filter((output) => output !== undefined);
  if (written.length === 0) return;
  const read = await Promise.all(inputs.map((input) => inputFiles(input, (location) => host.list(location))));
  await host.checkOutputs(written, read.flat());
}

interface Learning {
  readonly output?: string | undefined;
  readonly checkpoint?: unknown;
  readonly resume?: ModelInput | undefined;
}

/** Of a run: the checkpoint alone may be written over, by the state of the run that goes on from it. */
export async function checkRun(host: Host, { output, checkpoint, resume }: Learning, inputs: readonly (ModelInput | undefined)[]): Promise<void> {
  const kept = typeof checkpoint === 'string' ? checkpoint : undefined;
  await checkPlaces(host, [output, kept], inputs);
  await checkPlaces(host, [output], [resume]);
}
