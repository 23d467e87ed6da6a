// One start of one engine in a fresh process or page of ../shared/peers, under the machine's measurement lock.
import { spawn } from 'node:child_process';

/** Cores that others may take before a start is called disturbed and tried again. */
const QUIET = 0.1;
/** A start as long as this is not tried again. */
const LONG_MS = 60_000;
const LOCK = '/tmp/measure.lock';

function start(peers, where, job) {
  return new Promise((resolve) => {
    const child = spawn('flock', [LOCK, process.execPath, `child-${where}.mjs`, JSON.stringify(job)], { cwd: peers, stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, errors] = ['', ''];
    child.stdout.on('data', (data) => (out += data));
    child.stderr.on('data', (data) => (errors += data));
    child.on('close', () => {
      const line = out.split('\n').find((each) => each.startsWith('RESULT '));
      resolve(line ? JSON.parse(line.slice('RESULT '.length)) : { error: errors.trim().split('\n').slice(-6).join('\n') || 'no result' });
    });
  });
}

/** The quietest of some tries. */
export async function measureStart(peers, where, job, tries) {
  let best;
  for (let tried = 0; tried < tries; tried++) {
    const begin = Date.now();
    const next = await start(peers, where, job);
    if (!best || best.error || next.foreign < best.foreign) best = next;
    if (best.error || best.foreign + best.steal < QUIET || Date.now() - begin > LONG_MS) break;
  }
  return best;
}
