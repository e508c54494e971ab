import type { ComponentType } from "react";
import { createBrowserRouter, Navigate, type RouteObject } from "react-router";

import { basePath } from "../api";
import { PageError } from "./PageError";
import { NotFound } from "./NotFound";
import { PageLoading } from "./PageLoading";
import { Shell } from "./Shell";

type PageModule = { default: ComponentType };

/** A page is a folder of src/pages with a default export, loaded on first visit. */
function page(path: string, load: () => Promise<PageModule>): RouteObject {
  return {
    path,
    lazy: async () => ({ Component: (await load()).default }),
    errorElement: <PageError />,
    hydrateFallbackElement: <PageLoading />,
  };
}

const pages = [
  page("runs", () => import("../pages/runs")),
  page("threads", () => import("../pages/threads")),
  page("threads/:threadId", () => import("../pages/thread")),
  page("threads/:threadId/runs/:runId", () => import("../pages/run")),
  page("assistants", () => import("../pages/assistants")),
  page("assistants/:assistantId", () => import("../pages/assistant")),
  page("server", () => import("../pages/server")),
];

export const router = createBrowserRouter(
  [
    {
      path: "/",
      element: <Shell />,
      errorElement: <PageError />,
      hydrateFallbackElement: <PageLoading />,
      children: [
        { index: true, element: <Navigate to="/runs" replace /> },
        ...pages,
        { path: "*", element: <NotFound /> },
      ],
    },
  ],
  { basename: basePath },
);
