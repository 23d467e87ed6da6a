import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };

/** Headers by the first part of the path; the rest of the path names the file. */
export const POLICIES: Record<string, Record<string, string>> = {
  plain: {},
  isolated: { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' },
  strict: {
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
    'content-security-policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'",
  },
  closed: { 'content-security-policy': "default-src 'self'" },
};

/** index.html waits for a driver, remote.html asks the server for orders. */
const PAGES = new Map(['index', 'remote'].map((name) => [
  `${name}.html`,
  `<!doctype html><title>stonechat</title><link rel="icon" href="data:,"><script type="module" src="${name === 'index' ? 'page' : name}.js"></script>`,
]));

/** Answers what is no file; says whether it did. */
export type Further = (request: IncomingMessage, response: ServerResponse) => boolean;

function answer(request: IncomingMessage, response: ServerResponse, folders: readonly string[]): void {
  const [, policy = '', ...rest] = new URL(request.url ?? '/', 'http://localhost').pathname.split('/');
  const name = normalize(rest.join('/'));
  const headers = { ...POLICIES[policy], 'cache-control': 'no-store' };
  const page = PAGES.get(name);
  if (page) return void response.writeHead(200, { ...headers, 'content-type': 'text/html' }).end(page);
  const file = folders.map((folder) => join(folder, name)).find((path) => existsSync(path) && statSync(path).isFile());
  if (!file || name.startsWith('..')) return void response.writeHead(404, headers).end('not found');
  response.writeHead(200, { ...headers, 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-length': statSync(file).size });
  createReadStream(file).pipe(response);
}

/** Serves the files of `folders` below /plain/, /isolated/, /strict/ and /closed/. */
export const serve = (...folders: string[]): Promise<Served> => serveWith(() => false, ...folders);

export interface Served {
  origin: string;
  server: Server;
}

export function serveWith(further: Further, ...folders: string[]): Promise<Served> {
  const server = createServer((request, response) => further(request, response) || answer(request, response, folders));
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({ server, origin: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}` });
    }),
  );
}
