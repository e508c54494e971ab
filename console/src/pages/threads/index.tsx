import { Empty, Page } from "../../kit";

export default function ThreadsPage() {
  return (
    <Page title="Threads">
      <Empty title="This page is being built" />
    </Page>
  );
}
