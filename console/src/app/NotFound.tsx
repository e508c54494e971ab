import { ButtonLink, Empty, Page } from "../kit";

export function NotFound() {
  return (
    <Page title="Not found">
      <Empty title="Page not found" actions={<ButtonLink to="/runs">Go to runs</ButtonLink>}>
        <p>The address may be mistyped, or belong to another version of the console.</p>
      </Empty>
    </Page>
  );
}
