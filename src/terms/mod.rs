//! The third wing: what may be done with a listing, and at what price.
//!
//! Invariants: an offer and a licence document never change, an offer is withdrawn and replaced · only a
//! provider's own licence carries a price · a licence declares the personal data its listing declares ·
//! withdrawing never leaves a published listing without a price or a promised answer time.

pub mod licences;
pub mod offers;
