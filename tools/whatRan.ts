import type { Reporter, TestModule, TestRunEndReason, Vitest } from 'vitest/node';

/** Ends a run with one line: how many tests ran, how long they took together, and what `npm run test:all` adds. */
export default class WhatRan implements Reporter {
  private start = 0;
  private vitest: Vitest | undefined;

  /** @param more what else there is, where it is not `npm run test:all` that adds what was left out */
  constructor(private readonly more?: string) {}

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
    this.start = performance.now();
  }

  onTestRunEnd(modules: readonly TestModule[], _: unknown, reason: TestRunEndReason): void {
    if (reason === 'interrupted') return;
    const tests = modules.flatMap(({ children }) => [...children.allTests()]);
    const ran = tests.filter((test) => ['passed', 'failed'].includes(test.result().state));
    const left = tests.filter((test) => test.tags.includes('thorough') && !ran.includes(test));
    const seconds = (performance.now() - this.start) / 1000;
    this.vitest?.logger.log(lineOf(ran.length, seconds, this.more ?? whatAllAdds(left.length)));
  }
}

/** The line itself: `1,234 tests ran in 4:12; npm run test:all adds …`. */
export function lineOf(ran: number, seconds: number, more: string): string {
  const whole = Math.round(seconds);
  const time = `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
  return `${countOf(ran)} ran in ${time}${more && `; ${more}`}.`;
}

export function whatAllAdds(left: number): string {
  return left === 0 ? '' : `npm run test:all adds ${countOf(left)}: more shapes, seeds and rarer paths`;
}

function countOf(tests: number): string {
  return `${tests.toLocaleString('en')} test${tests === 1 ? '' : 's'}`;
}
