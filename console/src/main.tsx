import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import "./kit/tokens.css";
import "./kit/base.css";
import { App } from "./app/App";
import { applyTheme } from "./app/theme";

applyTheme();
const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
