const NAME = "@langchain/langgraph-sdk";
const INSTALLED = { "2.0.0": NAME, "1.15.0": "langgraph-sdk-1.15.0" };

export const resolve = (specifier, context, next) =>
  next(specifier === NAME ? INSTALLED[process.env.SDK_VERSION ?? "2.0.0"] : specifier, context);
