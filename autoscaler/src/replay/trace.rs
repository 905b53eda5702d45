//! Traces of requests: CSV with the columns second, arrivals, service time in milliseconds.

use std::str::FromStr;

/// The first line of a trace.
const HEADING: &str = "second,arrivals,service_ms";
/// Longest trace: a day.
const MOST_SECONDS: u64 = 86_400;
/// Most requests of a trace; each costs memory until the end, where its wait is told.
const MOST_ARRIVALS: u64 = 10_000_000;
/// Longest service time, in milliseconds: an hour.
const LONGEST_SERVICE: u64 = 3_600_000;

/// Requests that come, second by second from 0 on. There is at least one second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace(Vec<Arrivals>);

/// Requests of one second. They come evenly spread over it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// How many.
    pub count: u64,
    /// How long a pod works on each, in milliseconds.
    pub service: u64,
}

/// Why a text is no trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// Another heading.
    #[error("the first line must be {HEADING:?}")]
    Heading,
    /// No lines.
    #[error("there is nothing after the heading")]
    Empty,
    /// A line that is not three numbers.
    #[error("line {0}: three whole numbers are needed")]
    Line(usize),
    /// Seconds must grow; those that are left out are without requests.
    #[error("line {0}: seconds must grow")]
    Order(usize),
    /// Too long.
    #[error("line {0}: a trace has at most {MOST_SECONDS} seconds")]
    Long(usize),
    /// Too many requests.
    #[error("line {0}: a trace has at most {MOST_ARRIVALS} requests")]
    Many(usize),
    /// Too slow.
    #[error("line {0}: a request takes at most {LONGEST_SERVICE} ms")]
    Slow(usize),
}

impl Trace {
    /// The seconds, from 0 on.
    pub fn seconds(&self) -> &[Arrivals] {
        &self.0
    }

    /// All requests.
    pub fn requests(&self) -> u64 {
        self.0.iter().map(|second| second.count).sum()
    }
}

impl FromStr for Trace {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let mut lines = (1..).zip(text.lines().map(str::trim));
        if lines.next().map(|(_, line)| line) != Some(HEADING) {
            return Err(TraceError::Heading);
        }
        let mut trace = Self(Vec::new());
        let mut requests = 0_u64;
        for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let (second, arrivals) = arrivals(line).ok_or(TraceError::Line(number))?;
            requests = requests.saturating_add(arrivals.count);
            let faults = [
                (second >= MOST_SECONDS, TraceError::Long(number)),
                (second < trace.0.len() as u64, TraceError::Order(number)),
                (requests > MOST_ARRIVALS, TraceError::Many(number)),
                (arrivals.service > LONGEST_SERVICE, TraceError::Slow(number)),
            ];
            if let Some((_, fault)) = faults.into_iter().find(|(is_so, _)| *is_so) {
                return Err(fault);
            }
            trace.0.resize(second as usize, Arrivals::default());
            trace.0.push(arrivals);
        }
        if trace.0.is_empty() {
            return Err(TraceError::Empty);
        }
        Ok(trace)
    }
}

fn arrivals(line: &str) -> Option<(u64, Arrivals)> {
    let mut fields = line.split(',').map(|field| field.trim().parse().ok());
    let (second, count, service) = (fields.next()??, fields.next()??, fields.next()??);
    let rest = fields.next().is_some();
    (!rest).then_some((second, Arrivals { count, service }))
}

#[cfg(test)]
mod tests {
    use super::{Arrivals, Trace, TraceError};

    fn read(lines: &str) -> Result<Trace, TraceError> {
        format!("second,arrivals,service_ms\n{lines}").parse()
    }

    #[test]
    fn seconds_that_are_left_out_are_without_requests() {
        let trace = read("1, 5, 20\r\n\n3,1,0").unwrap();
        let some = |count, service| Arrivals { count, service };
        assert_eq!(
            trace.seconds(),
            [some(0, 0), some(5, 20), some(0, 0), some(1, 0)]
        );
        assert_eq!(trace.requests(), 6);
    }

    #[test]
    fn what_is_no_trace_is_refused_with_its_line() {
        for (lines, fault) in [
            ("", TraceError::Empty),
            ("0,1", TraceError::Line(2)),
            ("0,1,2,3", TraceError::Line(2)),
            ("0,-1,2", TraceError::Line(2)),
            ("1,1,1\n1,1,1", TraceError::Order(3)),
            ("86400,1,1", TraceError::Long(2)),
            ("0,9999999,1\n\n1,2,1", TraceError::Many(4)),
            ("0,1,3600001", TraceError::Slow(2)),
        ] {
            assert_eq!(read(lines), Err(fault), "{lines:?}");
        }
        assert_eq!("0,1,2".parse::<Trace>(), Err(TraceError::Heading));
    }
}
