// A browser that is started with an address and nothing else: Firefox, WebKit. Its page (remote.ts) asks for orders.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Job, JobResult, Order } from './job.js';
import { type Served, serveWith } from './server.js';

/** How a browser is started on an address, with a folder of its own for its profile. */
export type Start = (url: string, profile: string) => { command: string; list: string[] };

const ASKS_AGAIN_MS = 5000;

export class RemoteBrowser {
  private orders: Order[] = [];
  private asking: ((order: Order | null) => void) | undefined;
  private done: ((result: JobResult) => void) | undefined;
  private child: ChildProcess | undefined;
  private served: Served | undefined;
  private readonly profile = mkdtempSync(join(tmpdir(), 'stonechat-browser-'));

  async start(start: Start, ...folders: string[]): Promise<void> {
    this.served = await serveWith((request, response) => this.answer(request, response), ...folders);
    const { command, list } = start(`${this.served.origin}/plain/remote.html`, this.profile);
    this.child = spawn(command, list, { stdio: 'ignore', detached: true });
  }

  /** One order at a time. */
  run(policy: string, where: Order['where'], job: Job): Promise<JobResult> {
    return new Promise((resolve) => {
      this.done = resolve;
      this.orders.push({ policy, where, job });
      this.hand();
    });
  }

  stop(): void {
    if (this.child?.pid) process.kill(-this.child.pid, 'SIGKILL'); // with all that it started
    this.served?.server.closeAllConnections();
    this.served?.server.close();
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  /** An order stays until its result has come: a page that is of another policy asks again as one that is. */
  private hand(): void {
    if (this.orders[0]) this.asking?.(this.orders[0]);
    this.asking = undefined;
  }

  private answer(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.url === '/orders') {
      const json = (order: Order | null) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(order));
      const timer = setTimeout(() => json(null), ASKS_AGAIN_MS);
      this.asking = (order) => (clearTimeout(timer), json(order));
      if (this.orders.length > 0) this.hand();
      return true;
    }
    if (request.url !== '/results') return false;
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      response.end();
      this.orders.shift();
      this.done?.(JSON.parse(text) as JobResult);
    });
    return true;
  }
}

/** No questions, no tabs of an earlier run, no downloads of its own. */
const PREFERENCES = {
  'browser.shell.checkDefaultBrowser': false,
  'browser.aboutwelcome.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'toolkit.telemetry.reportingpolicy.firstRun': false,
  'app.normandy.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
};

export const firefox = (command: string): Start => (url, profile) => {
  const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${value});\n`);
  writeFileSync(join(profile, 'user.js'), lines.join(''));
  return { command, list: ['--headless', '--no-remote', '--profile', profile, url] };
};

/** WebKitGTK's own little browser, on a display that nobody sees. It shares no memory unless told to, as Safari does by itself. */
export const webkit = (command: string, shares: boolean): Start => (url) => ({
  command: 'env',
  list: [...(shares ? ['JSC_useSharedArrayBuffer=1'] : []), 'xvfb-run', '-a', command, '--private', url],
});
