import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const PROGRAM = join(import.meta.dirname, '../../dist/cli.js');
export const isBuilt = existsSync(PROGRAM);

export interface Outcome {
  code: number | null;
  out: string;
  error: string;
}

/** Runs the built command line with pipes, as a script would. */
export function run(args: readonly string[], input = '', onStart: (child: ReturnType<typeof spawn>) => void = () => {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    const outcome: Outcome = { code: null, out: '', error: '' };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (outcome.out += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (outcome.error += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...outcome, code }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    onStart(child);
  });
}

/** One value per line. */
export const lines = (text: string): unknown[] => text.trim().split('\n').map((line) => JSON.parse(line) as unknown);
