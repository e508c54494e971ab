export { Blocks } from "./Blocks";
export { Conversation, type ConversationProps } from "./Conversation";
export { Markdown } from "./Markdown";
export {
  isMessage,
  messageOf,
  plainText,
  roleOf,
  typeOf,
  type Message,
  type RawMessage,
  type Role,
  type ToolCall,
  type Usage,
} from "./message";
export { sameJson } from "./equality";
export {
  foldTranscript,
  isStreaming,
  messageKeys,
  messagesIn,
  ROOT,
  transcriptOf,
  type Scope,
  type Transcript,
  type TranscriptEvent,
} from "./transcript";
export { turnsOf, type CallWithResult, type Subagent, type Turn } from "./turns";
