import type { Page } from "playwright-core";

export const NARROW = { width: 360, height: 640 };

/** What may scroll sideways: rows of tabs, tables of figures, text as it is, drawings. */
const MAY = "[role=tablist], :has(> table), pre, textarea, input, .react-flow, .react-flow *";

/** What is wider on the page as it is now than the place it has: cut off, or to be scrolled sideways for. Best none. */
export async function tooWide(page: Page): Promise<string[]> {
  return page.evaluate((may) => {
    const tell = (element: Element) => {
      const name = element.getAttribute("aria-label") ?? element.textContent.slice(0, 40);
      return `${element.tagName.toLowerCase()} "${name}": ${element.scrollWidth} in ${element.clientWidth}`;
    };
    const clips = (element: Element) => {
      const { overflowX, textOverflow, clipPath } = getComputedStyle(element);
      return overflowX !== "visible" && textOverflow !== "ellipsis" && clipPath === "none";
    };
    return [document.documentElement, ...document.body.querySelectorAll("*")]
      .filter((element) => element instanceof HTMLElement && element.scrollWidth > element.clientWidth + 1)
      .filter((element) => element.clientWidth > 0 && !element.matches(may) && clips(element))
      .map(tell);
  }, MAY);
}
