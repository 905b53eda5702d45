//! What an app is given, and how its health is found out.

mod given;
mod probes;
mod several;
mod volumes;
