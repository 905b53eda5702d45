//! The API as people meet it through `kubectl`: what is refused and in which words, what stays as it
//! was written, what is explained, shown and still understood (contract/control-plane 0.3, 1.1 to 1.9).

mod admitted;
mod columns;
mod explained;
mod refused;
mod row;
mod stable;
mod updated;
mod versions;
