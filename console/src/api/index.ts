export { address, basePath, rootUrl, type Query } from "./address";
export { answered, call, client, page, type CallOptions, type Page } from "./client";
export { connection, reportSignedIn, type Connection } from "./connection";
export { credentials, signIn, signOut, type Credentials } from "./credentials";
export { ApiError, isNotFound, isPassing, LostError, messageOf } from "./errors";
export { External, useExternal } from "./external";
export { RunFeed, useRunFeed, type FeedEvent, type FeedSnapshot, type FeedState } from "./feed";
export { keys, queries } from "./queries";
export { transport } from "./transport";
