//! The hand-over for scripts and tours. Later capabilities add their own keys.

use std::path::Path;

use serde_json::{Value, json};

use super::{actors::Actors, walk::Walk};
use crate::error::{Error, Result};

/// Writes the manifest as JSON.
pub(super) fn write(path: &Path, base_url: &str, actors: &Actors, walk: &Walk) -> Result<()> {
    let actors: Vec<_> = actors.values().collect();
    let mut manifest = json!({
        "base_url": base_url, "actors": actors, "listing": walk.listing, "offer": walk.offer,
        "licence_hash": walk.licence_hash, "order": walk.order, "grant": walk.grant, "download_url": walk.download_url,
        "sha256": walk.sha256, "payout": walk.payout, "reconciliation": walk.reconciliation,
    });
    for further in [serde_json::to_value(&walk.papers)?, serde_json::to_value(&walk.own_tools)?] {
        if let (Value::Object(all), Value::Object(further)) = (&mut manifest, further) {
            all.extend(further);
        }
    }
    let text = serde_json::to_string_pretty(&manifest)?;
    std::fs::write(path, text).map_err(|error| Error::internal(format!("{}: {error}", path.display())))
}
