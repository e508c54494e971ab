import { spawn, type ChildProcess } from "node:child_process";
import { appendFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const READY = "treadle is ready at ";
const START_MS = 60_000;

export const GRAPHS = path.join(ROOT, "console/tests/graphs/langgraph.json");

export type ServerOptions = {
  /** A langgraph.json. */
  config?: string;
  /** Flags of `treadle serve`: ["--concurrency=1"]. */
  flags?: readonly string[];
  env?: Record<string, string>;
};

/** `treadle serve` in a directory of its own: killed, started again on the same port and data. */
export class Server {
  url = "";
  /** Where the console is: at the server, or at a development server before it (CONSOLE_DEV=1). */
  console = "";
  readonly data: string;
  private readonly options: ServerOptions;
  private process: ChildProcess | null = null;

  private constructor(data: string, options: ServerOptions) {
    this.data = data;
    this.options = options;
  }

  static async start(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(await mkdtemp(path.join(tmpdir(), "treadle-console-")), options);
    await server.start();
    return server;
  }

  get log(): string {
    return path.join(this.data, "server.log");
  }

  /** Starts it, the second time where it was. Resolves once it accepts requests. */
  async start(): Promise<void> {
    const { config = GRAPHS, flags = [], env = {} } = this.options;
    const port = this.url === "" ? "0" : new URL(this.url).port;
    const python = process.env.TREADLE_PYTHON ?? path.join(ROOT, ".venv/bin/python");
    const given = [
      "-m",
      "treadle.cli",
      "serve",
      `--config=${config}`,
      `--data=${this.data}`,
      `--port=${port}`,
      ...flags,
    ];
    const child = spawn(python, given, {
      env: { ...kept(), LANGSMITH_TRACING: "false", PYTHONUNBUFFERED: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process = child;
    child.stderr.on("data", (piece: Buffer) => appendFileSync(this.log, piece));
    this.url = await bounded(firstLine(child), START_MS, `no server was ready; see ${this.log}`);
    if (this.console === "") this.console = `${this.url}/console`;
  }

  /** SIGKILL, and gone. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
  }

  /** SIGTERM: it drains. */
  async stop(): Promise<void> {
    await this.end("SIGTERM");
  }

  /** Ends it and removes its directory. */
  async remove(): Promise<void> {
    await this.kill();
    await rm(this.data, { recursive: true, force: true, maxRetries: 3 });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.process;
    this.process = null;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill(signal);
    await bounded(gone, 30_000, "the server does not end");
  }
}

/** Nothing of the developer's own settings reaches a server of a test. */
function kept(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^(TREADLE_|LANG|VITE|VITEST|NODE_)/.test(name));
  return Object.fromEntries(entries);
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the server has no stdout");
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith(READY)) return line.slice(READY.length).trim();
  }
  throw new Error("the server ended before it was ready");
}

export async function bounded<T>(work: Promise<T>, ms: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(message)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
