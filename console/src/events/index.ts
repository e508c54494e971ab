/** Pure folds of a run's events: no React, no network. `view.ts` puts them together with the fold of the messages. */
export { Clock, fittingSpeed, SPEEDS } from "./clock";
export { pathOf, segmentsOf, type LoggedEvent, type Segment } from "./event";
export { digest, Matches, type EventFilter } from "./filter";
export { spansOfHistory, type Checkpoint, type RunEnd } from "./history";
export { nodeFigures, type NodeFigures, type NodePhase } from "./nodes";
export { Replay, type Fold } from "./replay";
export { bars, lanes, ticks, waterfall, type Bar, type Row } from "./rows";
export { lengthOf, type Span, type SpanError, type SpanKind, type SpanStatus } from "./span";
export { type GraphState, type States } from "./state";
export { type Summary } from "./summary";
export { type Attempt, type Timeline } from "./timeline";
export { runFold, type RunView } from "./view";
