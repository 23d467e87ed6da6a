import type { Generation } from './types.js';

/** The text of a generation as UTF-8, token by token as it is read. `stop`: what makes the generation end at once. */
export function bytesOf(generation: Generation, stop: () => void): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  return new ReadableStream(
    {
      async pull(controller) {
        for (;;) {
          const { done, value } = await generation.next();
          if (done) return controller.close();
          if (value.text !== '') return controller.enqueue(encoder.encode(value.text));
        }
      },
      async cancel() {
        stop();
        await generation.return!(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}
