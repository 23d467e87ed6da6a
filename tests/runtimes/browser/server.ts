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

const PAGE = '<!doctype html><title>stonechat</title><link rel="icon" href="data:,"><script type="module" src="page.js"></script>';

function answer(request: IncomingMessage, response: ServerResponse, folders: readonly string[]): void {
  const [, policy = '', ...rest] = new URL(request.url ?? '/', 'http://localhost').pathname.split('/');
  const name = normalize(rest.join('/'));
  const headers = { ...POLICIES[policy], 'cache-control': 'no-store' };
  if (name === 'index.html') return void response.writeHead(200, { ...headers, 'content-type': 'text/html' }).end(PAGE);
  const file = folders.map((folder) => join(folder, name)).find((path) => existsSync(path) && statSync(path).isFile());
  if (!file || name.startsWith('..')) return void response.writeHead(404, headers).end('not found');
  response.writeHead(200, { ...headers, 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-length': statSync(file).size });
  createReadStream(file).pipe(response);
}

/** Serves the files of `folders` below /plain/, /isolated/, /strict/ and /closed/. */
export function serve(...folders: string[]): Promise<{ origin: string; server: Server }> {
  const server = createServer((request, response) => answer(request, response, folders));
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({ server, origin: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}` });
    }),
  );
}
