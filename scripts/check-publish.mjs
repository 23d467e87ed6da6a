// The repository's address is not known yet: package.json holds a placeholder, which must not be published.
import { readFileSync } from 'node:fs';

const { repository, bugs } = JSON.parse(readFileSync('package.json', 'utf8'));
if (/\.example\//.test(`${repository.url} ${bugs.url}`)) {
  console.error('package.json: set repository.url and bugs.url to where the source lives.');
  process.exit(1);
}
