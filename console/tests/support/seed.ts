import { execFileSync } from "node:child_process";
import path from "node:path";

import type { Server } from "./server";

const SEED = `
import sqlite3, sys, time, uuid
path, count = sys.argv[1], int(sys.argv[2])
now = time.time_ns() // 1000
rows = ((str(uuid.UUID(int=number + 1)), now - number, now - number, now - number, '{"number": %d}' % number)
        for number in range(count))
with sqlite3.connect(path) as database:
    database.executemany(
        "INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, metadata) VALUES (?, ?, ?, ?, ?)", rows)
`;

/** Puts so many idle threads into the database of a server that is killed for it and started again; each has its number as metadata. */
export async function seedThreads(server: Server, count: number): Promise<void> {
  await server.kill();
  const python = process.env.TREADLE_PYTHON ?? path.resolve(import.meta.dirname, "../../../.venv/bin/python");
  execFileSync(python, ["-c", SEED, path.join(server.data, "treadle.sqlite3"), String(count)], { timeout: 60_000 });
  await server.start();
}
