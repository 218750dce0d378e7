//! What is charged again and again, and what is counted.

mod changes;
mod crashes;
mod dunning;
mod instalments;
pub mod market;
mod metered;
mod methods;
mod quotas;
mod renewing;
mod steps;
mod taxes;
