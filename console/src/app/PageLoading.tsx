import { Pending } from "../kit";

export function PageLoading() {
  return <Pending what="Loading the page" />;
}
