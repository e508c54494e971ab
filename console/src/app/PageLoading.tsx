import { Pending } from "../kit";

export function PageLoading() {
  return <Pending what="PageLoading" />;
}
