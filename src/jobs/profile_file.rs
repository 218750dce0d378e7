//! `catalog.profile_file`: reads a published file and keeps what is in it.

use entity::ids::FileId;
use serde::Deserialize;

use crate::{catalog::revisions, error::Result, state::AppState};

#[derive(Debug, Deserialize)]
struct Payload {
    file_id: FileId,
}

/// Profiles the file that `payload` names.
///
/// # Errors
/// When the file can't be read or the result not kept; the job is tried again.
pub(super) async fn run(app: &AppState, payload: serde_json::Value) -> Result<()> {
    let Payload { file_id } = serde_json::from_value(payload)?;
    revisions::profile_stored_file(app, file_id).await
}
