export { Draft, hasDrafts, readJson, written } from "./draft";
export { FormOrJson } from "./FormOrJson";
export { blank, initial } from "./initial";
export { at, pathText, withKey, type Path } from "./path";
export { problemsOf, type Problem } from "./problems";
export { SchemaForm } from "./SchemaForm";
export { isRecord, resolved, typesOf, type Schema } from "./schema";
export { shapeOf, type Shape } from "./shape";
