import { useState } from "react";

import { toast } from "../../kit";

/** Runs one action at a time and shows errors as a toast starting with `failed`. Resolves to whether it succeeded. */
export function useAction(): {
  busy: boolean;
  act: (failed: string, action: () => Promise<unknown>) => Promise<boolean>;
} {
  const [busy, setBusy] = useState(false);
  const act = async (failed: string, action: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await action();
      return true;
    } catch (error) {
      toast.bad(failed, error);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, act };
}
