// node --import ./support/choose-sdk.mjs: `@langchain/langgraph-sdk` is the version that SDK_VERSION names.
import { register } from "node:module";

register("./resolve-sdk.mjs", import.meta.url);
