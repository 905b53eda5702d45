//! What clients may send, made up at random: nothing breaks, and what must hold of what goes on to
//! an app does hold. `make fuzz` runs it for longer.

mod headers;
mod probes;
mod requests;
