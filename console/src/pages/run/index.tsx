import { Empty, Page } from "../../kit";

export default function RunPage() {
  return (
    <Page title="Run">
      <Empty title="This page is being built" />
    </Page>
  );
}
