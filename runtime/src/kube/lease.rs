//! Work that replicas share by leases (contract/control-plane 5 config-leader-election, 8.6).
//!
//! A *set* is work that is shared on its own: one control loop, or the revisions that an autoscaler
//! tends. It is cut into as many *parts* as `buckets` says; each part has one Lease, and each object
//! belongs to one part by its name. Who holds the Lease of a part has a [`Term`] and works on its
//! objects; everybody else leaves them alone.
//!
//! ```text
//! Election ─ enter(set) ─► Share ─ term(namespace, name) ─► Term ─ guard(pass) ─► writes
//!    │                       └──── gains() ─► resync of a part that has become ours
//!    └ one task: watches leases and pods, decides with step(), claims, renews, vacates
//! ```
//!
//! # What is promised
//! - A guarded future is not polled any more once its lease could be another's: renewals that did
//!   not succeed within `renew-deadline` end the term, `lease-duration` minus `renew-deadline` before
//!   anybody else may claim it. Only this process's own clock is asked, also about others: a lease
//!   has expired when it has not been seen to change for its duration.
//! - A write to a lease names the version it was decided on, so of two claims one fails.
//! - On shutdown, and when a part moves, its passes end first, then the lease is emptied: the next
//!   holder takes over at once.
//! - The lease of a process that is gone is taken at once, not after its duration, as upstream would:
//!   a predecessor in our own pod (the same pod, another process), and a pod of our Deployment that
//!   does not exist any more, has ended, or has no running container. The API server is asked anew
//!   before; a cached answer does not depose anyone. Where the pod object was deleted by force, its
//!   process may live for a moment: it sees the new holder in its watch and stops, and the API server
//!   refuses its token, which was bound to the pod.
//! - With [`Sharing::Even`], parts spread over the replicas that are ready, and move when replicas
//!   come: for each lease and each set of replicas one replica is the right one (rendezvous hashing);
//!   a free lease is left to it for one `retry-period`.
//!
//! # What it costs
//! One watch on the leases and one on the pods of the system namespace; nobody polls. A holder
//! writes each lease every half `renew-deadline`: eleven sets of one part are, with the defaults, one
//! write in two seconds.
//!
//! # Changing `buckets`
//! Leases of another number of parts are let go first; parts of the new number are claimed when
//! nobody holds one of the old any more. While replicas learn of the change at different moments,
//! nobody works on what is in between.

mod elector;
mod identity;
mod part;
mod peers;
mod record;
mod seat;
mod share;
mod term;
#[cfg(test)]
mod tests;
mod write;

pub use self::elector::Election;
pub use self::identity::Identity;
pub use self::share::{Gain, Share};
pub use self::term::{Term, TermOver};

/// What becomes of parts when replicas come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// They spread over all replicas. For work that loses nothing when it moves.
    Even,
    /// They stay where they are as long as the holder lives. For work with a memory.
    Sticky,
}
