import { useRouteError } from "react-router";
import { LinkButton } from "../../kit/Button";
import { Page } from "../../kit/Shell";
import { Empty, ErrorState } from "../../kit/states";

export function NotHere() {
  return (
    <Page title="Not here" windowTitle="Not here">
      <Empty title="There is nothing at this address" icon="search" action={<LinkButton to="/">To my first room</LinkButton>}>
        The link may be old, or the page is not open to your role.
      </Empty>
    </Page>
  );
}

/** A room broke or could not be loaded (a new version was installed meanwhile). */
export function RoomFailed() {
  const error = useRouteError();
  return (
    <Page title="This room stopped" windowTitle="Stopped">
      <ErrorState error={error} retry={() => window.location.reload()} action={<LinkButton to="/">To my first room</LinkButton>} />
    </Page>
  );
}
