import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';

/** The outermost suite of a test that is skipped as a whole, else the test itself. */
function whole(test: TestCase): TestCase | TestSuite {
  let found: TestCase | TestSuite = test;
  for (let at: TestCase | TestSuite | TestModule = test.parent; at.type === 'suite'; at = at.parent) {
    if ([...at.children.allTests()].every((other) => other.result().state === 'skipped')) found = at;
  }
  return found;
}

function describe(test: TestCase): string {
  const result = test.result();
  const reason = result.state === 'skipped' && result.note ? `: ${result.note}` : '';
  return `${test.module.relativeModuleId} > ${test.fullName}${reason}`;
}

/** Lists what was skipped, a suite in one line; the reason stands in `context.skip(reason)` or in a title. */
export default class Skips implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const groups = new Map<TestCase | TestSuite, TestCase[]>();
    for (const test of modules.flatMap((module) => [...module.children.allTests('skipped')])) {
      groups.set(whole(test), [...(groups.get(whole(test)) ?? []), test]);
    }
    for (const [first, ...others] of groups.values()) {
      console.log(`skipped: ${describe(first!)}${others.length ? ` (and ${others.length} more of its suite)` : ''}`);
    }
  }
}
