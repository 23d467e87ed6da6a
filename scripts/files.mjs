// Small helpers of the build: ages of files, a child process as a promise.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync, writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const age = (path) => {
  const info = statSync(path);
  return info.isDirectory() ? newest(readdirSync(path).map((name) => join(path, name))) : info.mtimeMs;
};

/** Latest modification below any of the paths. */
export const newest = (paths) => Math.max(0, ...paths.map(age));

/** Earliest modification of the files; 0 where one is missing. */
export const oldest = (files) => (files.every(existsSync) ? Math.min(...files.map((file) => statSync(file).mtimeMs)) : 0);

/** Leaves the file alone, with its date, where it already says so. */
export function writeIfChanged(file, text) {
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
}

export const run = (command, args) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${args.join(' ')}: exit code ${code}`))));
  });
