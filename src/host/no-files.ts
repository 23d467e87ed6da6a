import { unavailable } from '../files/refuse.js';

/** `Host.save` where there is no disk. */
export async function noFiles(location: string): Promise<never> {
  throw unavailable('a host with a disk', `one without, to write ${location}`, 'Take the bytes instead, and offer them as a download or store them.');
}

/** `Host.checkOutputs` where there is no disk. */
export async function noOutputs([first]: readonly string[]): Promise<void> {
  if (first !== undefined) await noFiles(first);
}
