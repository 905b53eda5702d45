//! The files that the process may have open: a connection is one, and a request that is forwarded
//! has two. Container runtimes give 1024 unless one asks for more, and beyond the bound nothing can
//! be accepted, and no pod be reached.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Asks for as many as we may have; returns how many that is.
pub fn as_many_as_possible() -> u64 {
    let allowed = getrlimit(Resource::Nofile);
    let Some(most) = allowed.maximum else {
        return u64::MAX;
    };
    let all = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    match setrlimit(Resource::Nofile, all) {
        Ok(()) => most,
        Err(error) => {
            warn!(%error, "can't raise the limit of open files");
            allowed.current.unwrap_or(most)
        }
    }
}

/// Connections of one port, where `wanted` are. A third of all files: the others are for the pods,
/// and for the other ports.
pub fn connections(files: u64, wanted: usize) -> usize {
    let third = usize::try_from(files / 3).unwrap_or(usize::MAX);
    if third < wanted {
        warn!(
            files,
            connections = third,
            "fewer connections than wanted: too few files"
        );
    }
    third.clamp(1, wanted.max(1))
}

#[cfg(test)]
mod tests {
    use super::{as_many_as_possible, connections};

    #[test]
    fn connections_leave_files_for_pods_and_other_ports() {
        let cases = [(3000, 32_768, 1000), (1 << 20, 32_768, 32_768), (0, 5, 1)];
        for (files, wanted, expected) in cases {
            assert_eq!(connections(files, wanted), expected, "{files} files");
        }
    }

    #[test]
    fn limit_is_raised_to_what_is_allowed() {
        let files = as_many_as_possible();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert_eq!(limit.current.unwrap_or(u64::MAX), files);
    }
}
