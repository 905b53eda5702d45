//! How many pods a revision has.

mod bounds;
mod burst;
mod demand;
mod grpc;
mod transition;
