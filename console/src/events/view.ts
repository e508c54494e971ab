import { foldTranscript, messageKeys, transcriptOf, type Transcript } from "../chat/transcript";
import type { LoggedEvent } from "./event";
import type { Fold } from "./replay";
import { copyStates, foldStates, startStates, type States } from "./state";
import { foldSummary, startSummary, type Summary } from "./summary";
import { copyTimeline, foldTimeline, startTimeline, type Timeline } from "./timeline";

/** All that the views of a run show, as of an event. `seq` is the last one that was folded. */
export type RunView = { seq: number; timeline: Timeline; transcript: Transcript; states: States; summary: Summary };

/** The fold of a run's events. An event that was folded before is dropped, so a repeat changes nothing. */
export const runFold: Fold<RunView> = {
  start: () => ({
    seq: 0,
    timeline: startTimeline(),
    transcript: transcriptOf({}),
    states: startStates(),
    summary: startSummary(),
  }),
  copy: (view) => ({
    seq: view.seq,
    timeline: copyTimeline(view.timeline),
    transcript: view.transcript,
    states: copyStates(view.states),
    summary: { ...view.summary, modes: new Map(view.summary.modes) },
  }),
  take: (view, event: LoggedEvent) => {
    // Only control events have no number, and they come once.
    if (event.seq > 0 && event.seq <= view.seq) return;
    if (event.seq > 0) view.seq = event.seq;
    foldTimeline(view.timeline, event);
    view.transcript = foldTranscript(keyed(view.transcript, event), [event]);
    foldStates(view.states, event);
    foldSummary(view.summary, event);
  },
};

/** The first state tells under which key the graph keeps its messages. */
function keyed(transcript: Transcript, event: LoggedEvent): Transcript {
  if (event.mode !== "values" || event.namespace.length > 0) return transcript;
  const [key] = messageKeys(event.data);
  const silent = [...transcript.scopes.values()].every((scope) => scope.messages.length === 0);
  return key !== undefined && key !== transcript.key && silent ? transcriptOf({}, key) : transcript;
}
