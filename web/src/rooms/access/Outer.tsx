import { Outlet } from "react-router";
import { KeysHelp } from "../../kit/dialog";
import { useKeys } from "../../kit/keys";
import { toggleScheme } from "../../kit/theme";
import { Toasts } from "../../kit/toast";

/** Around everything, signed in or not: toasts, the keys of everywhere. */
export function Outer() {
  useKeys("Everywhere", [{ id: "app.theme", keys: ["Shift+D"], label: "Dark or light", run: toggleScheme }]);
  return (
    <>
      <Outlet />
      <Toasts />
      <KeysHelp />
    </>
  );
}
