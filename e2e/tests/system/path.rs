//! From a client to an app and back: what may pass, how long, and what each side gets to see.

mod concurrency;
mod grpc;
mod headers;
mod inside;
mod leaving;
mod limits;
mod protocols;
mod updates;
mod websocket;
