//! The third wing: what may be done with a listing, and at what price.

pub mod licences;
