/**
 * How likely luck is. Blocks are found like rain falls: each hash has the same small chance, so their number is Poisson distributed around the
 * work over the difficulty.
 */

/** How a number of finds compares with what the work was worth. */
export interface Chance {
  /** `fewer`: the chance to find so few or fewer; `more`: so many or more. */
  readonly side: "fewer" | "more";
  /** From 0 to 1. */
  readonly probability: number;
}

/** Terms that add nothing any more are left out. */
const EPSILON = 1e-18;

/** The chance to find as few, or as many, as `found` when `expected` (above 0) were to be found on average. */
export function chanceOf(found: number, expected: number): Chance {
  if (found < expected) return { side: "fewer", probability: Math.min(1, tail(found, expected, -1)) };
  return { side: "more", probability: Math.min(1, tail(found, expected, 1)) };
}

/** The sum of the probabilities from `from` on, away from the mean: each term is smaller than the one before. */
function tail(from: number, mean: number, step: 1 | -1): number {
  let term = Math.exp(from * Math.log(mean) - mean - logFactorial(from));
  let sum = 0;
  for (let n = from; n >= 0 && term > EPSILON * sum; n += step) {
    sum += term;
    term *= step === 1 ? mean / (n + 1) : n / mean;
  }
  return sum;
}

/** ln n!, exact sums below 32, Stirling's series (error below 1e-12) from there on. */
function logFactorial(n: number): number {
  if (n < 32) {
    let sum = 0;
    for (let i = 2; i <= n; i++) sum += Math.log(i);
    return sum;
  }
  return (
    n * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI * n) + 1 / (12 * n) - 1 / (360 * n ** 3) + 1 / (1260 * n ** 5)
  );
}
