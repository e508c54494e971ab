import { Empty, Page } from "../../kit";

export default function AssistantPage() {
  return (
    <Page title="Assistant">
      <Empty title="This page is being built" />
    </Page>
  );
}
