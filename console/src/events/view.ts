import { foldTalk, messageKeys, talkOf, type Talk } from "../chat/talk";
import type { LoggedEvent } from "./event";
import type { Fold } from "./replay";
import { copyStates, foldStates, startStates, type States } from "./state";
import { foldSummary, startSummary, type Summary } from "./summary";
import { copyTimeline, foldTimeline, startTimeline, type Timeline } from "./timeline";

/** All that the views of a run show, as of an event. `seq` is the last one that was folded. */
export type RunView = { seq: number; timeline: Timeline; talk: Talk; states: States; summary: Summary };

/** The fold of a run's events. An event that was folded before is dropped, so a repeat changes nothing. */
export const runFold: Fold<RunView> = {
  start: () => ({
    seq: 0,
    timeline: startTimeline(),
    talk: talkOf({}),
    states: startStates(),
    summary: startSummary(),
  }),
  copy: (view) => ({
    seq: view.seq,
    timeline: copyTimeline(view.timeline),
    talk: view.talk,
    states: copyStates(view.states),
    summary: { ...view.summary, modes: new Map(view.summary.modes) },
  }),
  take: (view, event: LoggedEvent) => {
    // Only control events have no number, and they come once.
    if (event.seq > 0 && event.seq <= view.seq) return;
    if (event.seq > 0) view.seq = event.seq;
    foldTimeline(view.timeline, event);
    view.talk = foldTalk(keyed(view.talk, event), [event]);
    foldStates(view.states, event);
    foldSummary(view.summary, event);
  },
};

/** The first state tells under which key the graph keeps its messages. */
function keyed(talk: Talk, event: LoggedEvent): Talk {
  if (event.mode !== "values" || event.namespace.length > 0) return talk;
  const [key] = messageKeys(event.data);
  const silent = [...talk.scopes.values()].every((scope) => scope.messages.length === 0);
  return key !== undefined && key !== talk.key && silent ? talkOf({}, key) : talk;
}
