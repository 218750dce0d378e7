//! Questions about a table that somebody may ask before paying for it, answered so that no single row can be told.
//!
//! What is promised is differential privacy, and what hides is one row. Each question has its ε, shared by all figures
//! of its answer; each figure carries discrete Laplace noise as wide as the most that one row can change it, over its
//! part of ε. So n questions together make whatever is said of the table at most exp(n·ε) times likelier with a row
//! than without it, however cleverly they are chosen, and whatever else is known. That is what a budget of questions
//! is for. Nothing that decides on an answer depends on a row without noise:
//!
//! - values count only within a range that the owner has named, so one row can't move a sum by more than that;
//! - refusals depend on the schema and the owner's terms alone;
//! - a group whose name the asker did not give is shown from a noisy size on that a group below the least size
//!   reaches once in a million ([`DELTA`]);
//! - noise is a function of a secret and the question, so asking again averages nothing.
//!
//! A [`Plan`] is made of a [`Question`], takes every row once in bounded memory, and answers. Nothing here knows of an
//! exchange, a file or a network; the attacks that are known on such answers are tests (`attacks.rs`).
//!
//! Source: Dwork, Roth, *The Algorithmic Foundations of Differential Privacy*, sections 3.3 (Laplace), 3.5
//! (composition); Korolova et al., *Releasing search queries and clicks privately* (thresholds for unknown groups).

mod aggregate;
mod answer;
#[cfg(test)]
mod attacks;
mod coverage;
mod drift;
mod gaps;
mod matches;
mod noise;
mod plan;
mod question;
mod sql;
mod table;
mod terms;
#[cfg(test)]
mod tests;

pub use answer::{Answer, ColumnCoverage, Count, Figure, Gap, Group, Measure, Month, Share};
pub use noise::{Noise, Seed};
pub use plan::{KEYS_MAX, KEYS_MIN, Plan};
pub use question::{Keys, Question, Refusal};
pub use table::{Cell, Column, Row, Type};
pub use terms::{ColumnTerms, DELTA, Kind, Range, Terms};
