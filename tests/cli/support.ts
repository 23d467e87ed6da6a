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

/** util-linux' script, which every Debian has: it runs a command at a terminal of its own. */
export const hasTerminal = process.platform === 'linux' && existsSync('/usr/bin/script');

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * Runs the built command line at a terminal of `columns`; each step waits for a pattern in what was shown since the
 * step before, then types. Resolves with all that was shown, without what moves the cursor.
 */
export function runAtTerminal(args: readonly string[], columns: number, steps: readonly (readonly [RegExp, string])[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const line = `stty cols ${columns} rows 40; exec ${[process.execPath, PROGRAM, ...args].map(quoted).join(' ')}`;
    const child = spawn('script', ['-qefc', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh' } });
    let out = '', seen = 0, step = 0;
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      out += chunk.replaceAll(/\u001b\[[\d;?]*[A-Za-z]/g, '');
      while (step < steps.length && steps[step]![0].test(out.slice(seen))) {
        seen = out.length;
        child.stdin.write(steps[step++]![1]);
      }
    });
    const giveUp = setTimeout(() => child.kill('SIGKILL'), 15_000);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(giveUp);
      resolve({ code, out, error: '' });
    });
  });
}
