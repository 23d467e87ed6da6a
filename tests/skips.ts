import type { Reporter, TestModule } from 'vitest/node';

/** Lists the skipped tests; the reason stands in `context.skip(reason)` or in the title. */
export default class Skips implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result();
        const reason = result.state === 'skipped' ? result.note : undefined;
        console.log(`skipped: ${module.relativeModuleId} > ${test.fullName}${reason ? `: ${reason}` : ''}`);
      }
    }
  }
}
