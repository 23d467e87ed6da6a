// Shared test data lies beside the project, never in it. Without it these tests are skipped, and say so.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const DATA = join(import.meta.dirname, '../../../shared/data');
export const hasData = existsSync(join(DATA, 'golden'));
export const NO_DATA = `no shared test data at ${DATA}`;

export const dataPath = (path: string): string => join(DATA, path);
export const readJson = <T>(path: string): T => JSON.parse(readFileSync(dataPath(path), 'utf8')) as T;
/** A title that carries the reason when the data is absent. */
export const titled = (title: string): string => (hasData ? title : `${title} (skipped: ${NO_DATA})`);
