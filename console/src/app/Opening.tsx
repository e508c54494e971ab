import { Pending } from "../kit";

export function Opening() {
  return <Pending what="Opening" />;
}
