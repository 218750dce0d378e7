//! What is offered, and what is known of it.
//!
//! Invariants: a published revision never changes · a published listing has a published revision, and a price or a
//! promised answer time · a listing for named organisations does not exist for anyone else · revisions call
//! listings, never the other way round.

pub mod listings;
pub use torv_tables as profile;
pub mod renditions;
pub mod revisions;
mod tokens;

use crate::{
    auth::Actor,
    error::{Error, Result},
};

/// Refuses an organisation that may not list data.
pub(crate) fn require_provider(actor: &Actor) -> Result<()> {
    if actor.organization.may_provide {
        return Ok(());
    }
    Err(Error::forbidden("Your organisation may not list data yet: become a provider first."))
}
