import type { Page } from "playwright-core";

/** Resolves when the page was drawn anew. */
export async function drawn(page: Page): Promise<void> {
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
}

/** The longest time in milliseconds for which the page stood still while `act` was done to it. */
export async function longestFrame(page: Page, act: () => Promise<void>): Promise<number> {
  const frames = await page.evaluateHandle(() => {
    const seen = { longest: 0, last: performance.now(), over: false };
    const tick = (now: number) => {
      seen.longest = Math.max(seen.longest, now - seen.last);
      seen.last = now;
      if (!seen.over) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    return seen;
  });
  await act();
  await drawn(page);
  return frames.evaluate((seen) => {
    seen.over = true;
    return seen.longest;
  });
}
