// An extension carries all its code: this copies the package's scripts and kernels to stonechat/.
import { cpSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = dirname(fileURLToPath(import.meta.resolve('stonechat/stonechat.browser.js')));
const pages = readdirSync(dist).filter((name) => /^page-\w+\.js$/.test(name));
for (const name of [...pages, 'stonechat.browser.js', 'static.js', 'default-model.js', 'kernels', 'wasm', 'worker', 'THIRD-PARTY-NOTICES.txt']) {
  cpSync(join(dist, name), join(import.meta.dirname, 'stonechat', name), { recursive: true });
}
