import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Whatever asks for another address than the server's gets a proxy that is not there: nothing leaves the machine.
  "--proxy-server=http://127.0.0.1:9",
  "--proxy-bypass-list=127.0.0.1",
];

export async function launch(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/** What browsers said while a test ran: a test with a complaint fails. */
export class Complaints {
  readonly all: string[] = [];
  private readonly allowed: RegExp[] = [];

  /** For what a test brings about on purpose: a server that is away, a sign-in that is refused. */
  allow(...patterns: RegExp[]): void {
    this.allowed.push(...patterns);
  }

  add(text: string): void {
    this.all.push(text);
  }

  get left(): string[] {
    return this.all.filter((text) => !this.allowed.some((pattern) => pattern.test(text)));
  }
}

/** A browser context whose errors, refused content and requests to elsewhere are complaints. */
export async function openContext(
  browser: Browser,
  complaints: Complaints,
  options: BrowserContextOptions = {},
): Promise<BrowserContext> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    reducedMotion: "reduce",
    ...options,
  });
  context.setDefaultTimeout(15_000);
  context.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    const inside = protocol === "data:" || protocol === "blob:" || hostname === "127.0.0.1";
    if (!inside) complaints.add(`asked for ${request.url()}`);
  });
  context.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.add(`console: ${message.text()}`);
  });
  context.on("weberror", (error) => complaints.add(`uncaught: ${error.error().stack ?? error.error().message}`));
  return context;
}

export type { Browser, BrowserContext, Page };
