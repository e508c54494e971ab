/** The parts of the server's threads, states and runs that these pages use. */

export type Json = Record<string, unknown>;

export type CheckpointRef = {
  thread_id: string;
  checkpoint_ns?: string;
  checkpoint_id?: string | null;
  checkpoint_map?: Json | null;
};

export type Interrupt = { id?: string; value?: unknown; response_schema?: unknown };

export type Task = {
  id: string;
  name: string;
  error?: string | null;
  interrupts: Interrupt[];
  checkpoint?: CheckpointRef | null;
  state?: ThreadState | null;
  result?: unknown;
};

export type ThreadState = {
  /** Left out in a history, where they may be large. */
  values?: unknown;
  next: string[];
  tasks: Task[];
  metadata: Json | null;
  created_at: string | null;
  checkpoint: CheckpointRef;
  parent_checkpoint: CheckpointRef | null;
};

/** A thread without its values, which may be large. */
export type ThreadHead = {
  thread_id: string;
  created_at: string;
  updated_at: string;
  state_updated_at?: string | null;
  status: string;
  metadata: Json;
  config?: Json;
  error?: unknown;
};

export type RunRow = {
  run_id: string;
  thread_id: string;
  assistant_id: string;
  graph_id?: string | null;
  status: string;
  created_at: string;
  updated_at: string;
  started_at?: string | null;
  finished_at?: string | null;
  duration_seconds?: number | null;
  attempt?: number;
  multitask_strategy?: string | null;
  stopped_at_interrupt?: boolean;
  error?: { error: string; message: string } | null;
  metadata: Json;
};
