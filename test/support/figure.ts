/** Figures that a test measures: shown with its result, so that a run is a measurement too. */

/** Prints one line beside the test results. */
export function figure(text: string): void {
  process.stdout.write(`    ${text}\n`);
}
