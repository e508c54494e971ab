import { Empty, Page } from "../../kit";

export default function ServerPage() {
  return (
    <Page title="Server">
      <Empty title="This page is being built" />
    </Page>
  );
}
