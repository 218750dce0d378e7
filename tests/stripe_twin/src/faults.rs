//! Faults on purpose: which request fails how, planned beforehand.

use serde::{Deserialize, Serialize};

use crate::ids::Generator;

/// How a request fails. "After commit" means that the change was made, and its answer kept for the idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Executes, then holds the answer for `milliseconds`. A retry meanwhile is answered from the key.
    TimeoutAfterCommit,
    /// Executes, then answers 500; the key replays the 500.
    ErrorAfterCommit,
    /// Answers 500 without executing; the key replays the 500.
    ErrorBeforeCommit,
    /// Answers 502 with a page instead of JSON, before the API was reached: nothing is kept.
    BadGateway,
    /// Answers 409 without executing; nothing is kept.
    Conflict,
    /// Answers 429 without executing; nothing is kept.
    RateLimit,
    /// Resets the connection before executing.
    ResetBeforeCommit,
    /// Executes, then resets the connection instead of answering.
    ResetAfterCommit,
    /// Is in progress for `milliseconds` before it executes. The same key is answered 409 meanwhile.
    Slow,
}

fn one() -> u32 {
    1
}

fn anything() -> String {
    "*".to_owned()
}

fn hundred() -> u8 {
    100
}

fn half_minute() -> u64 {
    30_000
}

/// One planned fault.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: FaultKind,
    /// HTTP method, or `*`.
    #[serde(default = "anything")]
    pub method: String,
    /// Path such as `/v1/transfers/*/reversals`; a star stands for one segment, or for the whole rest at the end.
    #[serde(default = "anything")]
    pub path: String,
    /// The first matching request that fails, counted from 1.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many matching requests fail from there on.
    #[serde(default = "one")]
    pub times: u32,
    /// Chance that a request that would fail does, drawn from the seed.
    #[serde(default = "hundred")]
    pub percent: u8,
    /// How long `timeout_after_commit` and `slow` wait.
    #[serde(default = "half_minute")]
    pub milliseconds: u64,
}

impl Fault {
    /// A fault of the first request that matches.
    pub fn first(kind: FaultKind, method: &str, path: &str) -> Self {
        Self {
            kind,
            method: method.to_owned(),
            path: path.to_owned(),
            nth: 1,
            times: 1,
            percent: 100,
            milliseconds: half_minute(),
        }
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        (self.method == "*" || self.method.eq_ignore_ascii_case(method)) && path_matches(&self.path, path)
    }
}

fn path_matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let mut parts = pattern.split('/').peekable();
    while let Some(part) = parts.next() {
        if part == "*" && parts.peek().is_none() {
            return true;
        }
        let Some(segment) = segments.next() else { return false };
        if part != "*" && part != segment {
            return false;
        }
    }
    segments.next().is_none()
}

#[derive(Clone, Debug)]
struct Planned {
    fault: Fault,
    seen: u32,
}

/// The plan and how far it has come.
#[derive(Clone, Debug)]
pub struct Faults {
    planned: Vec<Planned>,
    chance: Generator,
}

impl Faults {
    pub fn new(faults: Vec<Fault>, seed: u64) -> Self {
        let planned = faults.into_iter().map(|fault| Planned { fault, seen: 0 }).collect();
        Self { planned, chance: Generator::new(seed ^ 0xFA17) }
    }

    /// Replaces the plan; what was counted is forgotten, the draws go on.
    pub fn replace(&mut self, faults: Vec<Fault>) {
        self.planned = faults.into_iter().map(|fault| Planned { fault, seen: 0 }).collect();
    }

    /// Counts a request and returns the fault it meets: the first in the plan that applies.
    pub fn strike(&mut self, method: &str, path: &str) -> Option<Fault> {
        let mut struck = None;
        for planned in self.planned.iter_mut().filter(|planned| planned.fault.matches(method, path)) {
            planned.seen += 1;
            let fault = &planned.fault;
            let in_range = (fault.nth..fault.nth.saturating_add(fault.times)).contains(&planned.seen);
            if struck.is_none() && in_range && self.chance.percent(fault.percent) {
                struck = Some(fault.clone());
            }
        }
        struck
    }

    /// The plan with the number of requests that each fault has seen.
    pub fn seen(&self) -> Vec<(Fault, u32)> {
        self.planned.iter().map(|planned| (planned.fault.clone(), planned.seen)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_the_nth_matching_request_only() {
        let fault = Fault { nth: 2, ..Fault::first(FaultKind::Conflict, "POST", "/v1/transfers/*/reversals") };
        let mut faults = Faults::new(vec![fault], 1);
        let path = "/v1/transfers/tr_1/reversals";
        let hits: Vec<bool> = (0..3).map(|_| faults.strike("POST", path).is_some()).collect();
        assert_eq!(hits, [false, true, false]);
        assert!(faults.strike("GET", path).is_none());
    }

    #[test]
    fn a_star_at_the_end_takes_the_rest() {
        assert!(path_matches("/v1/*", "/v1/refunds/re_1"));
        assert!(path_matches("*", "/v1/refunds"));
        assert!(!path_matches("/v1/*/reversals", "/v1/transfers/tr_1/reversals"));
        assert!(!path_matches("/v1/refunds", "/v1/refunds/re_1"));
    }
}
