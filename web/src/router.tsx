import type { ComponentType } from "react";
import { createBrowserRouter, type RouteObject } from "react-router";
import { queryClient, whenSessionEnds } from "./api/client";
import { Home, Layout } from "./rooms/access/Layout";
import { Outer } from "./rooms/access/Outer";
import { NotHere, RoomFailed } from "./rooms/access/pages";

type Room = { default: ComponentType };

/** A room is its folder's page.tsx, loaded when it is first entered. */
const rooms = import.meta.glob<Room>("./rooms/*/page.tsx");

const PATHS: Record<string, string> = {
  list: "list",
  read: "read/:readId",
  board: "board",
  case: "case/:caseId?",
  site: "site",
  admin: "admin/*",
  messages: "messages/:messageId?",
  quarantine: "quarantine/:heldId?",
  hidden: "hidden/:studyId?",
  identity: "identity/:studyId",
  patients: "patients/:patientId?",
  transfers: "transfers/:transferId?",
};

const inside: RouteObject[] = Object.entries(PATHS).flatMap(([name, path]) => {
  const load = rooms[`./rooms/${name}/page.tsx`];
  return load ? [{ path, lazy: async () => ({ Component: (await load()).default }), errorElement: <RoomFailed /> }] : [];
});

export const router = createBrowserRouter(
  [
    {
      element: <Outer />,
      // Nothing is drawn for the moment a room takes to load: a skeleton would only flash.
      hydrateFallbackElement: <></>,
      children: [
        { path: "sign-in", lazy: async () => ({ Component: (await import("./rooms/access/SignIn")).SignIn }) },
        { path: "_kit", lazy: async () => ({ Component: (await import("./rooms/kit/KitPage")).KitPage }) },
        { element: <Layout />, children: [{ index: true, element: <Home /> }, ...inside, { path: "*", element: <NotHere /> }] },
      ],
    },
  ],
  { basename: "/app" },
);

whenSessionEnds(() => {
  const { pathname, search } = router.state.location;
  const place = pathname.replace(/^\/app/, "") + search;
  if (place.startsWith("/sign-in")) return;
  void router.navigate(`/sign-in?over=1&next=${encodeURIComponent(place)}`).then(() => {
    // What was seen before must not be there for whoever signs in next. The page has gone, so nothing asks for it.
    queryClient.removeQueries({ predicate: (query) => query.queryKey[0] !== "ready" });
  });
});
