import type { ReactNode } from "react";

export type Column<T> = {
  key: string;
  header: string;
  /** A track of grid-template-columns: "90px", "minmax(120px, 2fr)". */
  width: string;
  cell: (row: T) => ReactNode;
  align?: "end";
  /** Hide the column in tables narrower than this many pixels. */
  from?: number;
  /** Makes the header sort; passed to `onSort`. */
  sort?: string;
};

export type Sorting = { by: string; descending: boolean };

export type Selected = { keys: ReadonlySet<string>; onChange: (keys: ReadonlySet<string>) => void };
