// A page of a browser without a driver: it asks the server for orders, carries them out, and sends what came of them.
import type { Order } from './job.js';
import { page } from './page.js';

for (;;) {
  const order = (await (await fetch('/orders')).json()) as Order | null;
  if (!order) continue;
  if (!location.pathname.startsWith(`/${order.policy}/`)) {
    location.href = `/${order.policy}/remote.html`;
    break;
  }
  const result = order.where === 'onPage' ? await page.onPage(order.job) : (await page.inWorker(order.job)).result;
  await fetch('/results', { method: 'POST', body: JSON.stringify(result) });
  location.reload(); // WebKit gives 4 GiB of addresses to each shared memory, and takes them back with the page
  break;
}
