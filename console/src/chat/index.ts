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
export { sameJson } from "./same";
export {
  foldTalk,
  isStreaming,
  messageKeys,
  messagesIn,
  ROOT,
  talkOf,
  type Scope,
  type Talk,
  type TalkEvent,
} from "./talk";
export { turnsOf, type Called, type Inner, type Turn } from "./turns";
