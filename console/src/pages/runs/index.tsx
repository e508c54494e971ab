import { Empty, Page } from "../../kit";

export default function RunsPage() {
  return (
    <Page title="Runs">
      <Empty title="This page is being built" />
    </Page>
  );
}
