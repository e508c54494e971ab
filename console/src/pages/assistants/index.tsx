import { Empty, Page } from "../../kit";

export default function AssistantsPage() {
  return (
    <Page title="Assistants">
      <Empty title="This page is being built" />
    </Page>
  );
}
