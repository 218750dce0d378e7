//! In which time zone and coordinate system the values of a file are, as its provider states it.
//!
//! What the file says itself goes before it: an offset that is written with a time, a system that a document names.

use entity::ids::FileId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use torv_tables::convert::{Crs, Zone};
use utoipa::{IntoParams, ToSchema};

use super::{
    service::lock_open,
    store::{self, FileRow},
};
use crate::{
    auth::Actor,
    error::{Check, Error, Problem, Result},
    people::audit,
    state::AppState,
};

/// In which time zone and coordinate system the values of a file are, where it does not say so itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"time_zone": "Europe/Copenhagen", "crs": "EPSG:25832"}))]
pub(super) struct FileReference {
    /// The zone, by its name in the IANA database, of times that are written without an offset. Left out: not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub time_zone: Option<String>,
    /// The EPSG code of the system that coordinates are in. Left out: not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub crs: Option<String>,
}

/// What is stated of a file with its bytes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReferenceQuery {
    /// The zone, by its name in the IANA database, of times that are written without an offset; empty for none. Without
    /// it, what was stated of the last file of this name.
    #[param(max_length = 64, example = "Europe/Copenhagen")]
    pub time_zone: Option<String>,
    /// The EPSG code of the system that coordinates are in; empty for none. Without it, what was stated of the last file
    /// of this name.
    #[param(max_length = 64, example = "EPSG:25832")]
    pub crs: Option<String>,
}

impl From<ReferenceQuery> for FileReference {
    fn from(ReferenceQuery { time_zone, crs }: ReferenceQuery) -> Self {
        Self { time_zone, crs }
    }
}

impl FileReference {
    /// As it is kept: in the spelling of the databases that the names are from. An empty text stays one.
    ///
    /// # Errors
    /// `Invalid` at `time_zone` or `crs` behind `prefix`, with what to write instead.
    pub(super) fn checked(self, prefix: &str) -> Result<Self> {
        let mut check = Check::new();
        let time_zone = self.time_zone.map(|text| match (text.as_str(), Zone::of_name(&text)) {
            ("", _) => String::new(),
            (_, Some(zone)) => zone.name().to_owned(),
            (_, None) => {
                check.require(false, format!("{prefix}time_zone"), zone_advice(&text));
                String::new()
            }
        });
        let crs = self.crs.map(|text| match (text.as_str(), Crs::of_name(&text)) {
            ("", _) => String::new(),
            (_, Some(crs)) => crs.name(),
            (_, None) => {
                let advice = format!("No such system is known here. Give one of {}; or none.", Crs::KNOWN);
                check.require(false, format!("{prefix}crs"), advice);
                String::new()
            }
        });
        check.done()?;
        Ok(Self { time_zone, crs })
    }

    /// With `other` where nothing is said, and without what is empty.
    pub(super) fn or(self, other: Self) -> Self {
        let said = |own: Option<String>, other: Option<String>| own.or(other).filter(|text| !text.is_empty());
        Self { time_zone: said(self.time_zone, other.time_zone), crs: said(self.crs, other.crs) }
    }
}

fn zone_advice(text: &str) -> String {
    let meant = Zone::meant_by(text).map(|zone| format!(" Did you mean {}?", zone.name())).unwrap_or_default();
    format!(
        "The IANA database has no such zone: write its name there, as in Europe/Copenhagen or Asia/Taipei; no offset, for \
         that changes over the year.{meant}"
    )
}

/// States of a file of an open revision in which zone and system its values are, in place of what was stated before.
///
/// # Errors
/// [`Problem::NotFound`] for a file of somebody else; [`Problem::Invalid`] for names that are not known;
/// [`Problem::Conflict`] once the revision is published.
pub(super) async fn set(app: &AppState, actor: Actor, id: FileId, stated: FileReference) -> Result<FileRow> {
    let stated = stated.checked("/")?.or(FileReference::default());
    let unknown = || Error::not_found("file");
    let revision = store::find_file(app.db.read(), id).await?.ok_or_else(unknown)?.revision_id;
    let now = app.clock.now();
    app.db
        .write("catalog.set_file_reference", move |tx| {
            let (actor, stated) = (actor.clone(), stated.clone());
            async move {
                let locked = lock_open(&tx, actor.org_id(), revision).await;
                locked.map_err(|error| if error.problem == Problem::NotFound { unknown() } else { error })?;
                store::set_reference(&tx, id, &stated).await?;
                let detail = json!({"time_zone": stated.time_zone, "crs": stated.crs});
                audit::record(&tx, &actor, "file.set_reference", id, detail, now).await?;
                let row = store::files(tx.conn(), revision).await?.into_iter().find(|file| file.id == id);
                Ok((row.ok_or_else(unknown)?, tx))
            }
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(time_zone: &str, crs: &str) -> Result<FileReference> {
        FileReference { time_zone: Some(time_zone.to_owned()), crs: Some(crs.to_owned()) }.checked("/")
    }

    #[test]
    fn names_are_kept_in_one_spelling() {
        for crs in ["EPSG:25832", "epsg:25832", "25832", "urn:ogc:def:crs:EPSG::25832"] {
            let good = checked("Europe/Copenhagen", crs).expect("known");
            assert_eq!(
                (good.time_zone.as_deref(), good.crs.as_deref()),
                (Some("Europe/Copenhagen"), Some("EPSG:25832"))
            );
        }
    }

    #[test]
    fn unknown_names_are_told_what_to_write() {
        let told = checked("europe/copenhagen", "EPSG:99999").expect_err("refused").fields;
        let pointers: Vec<&str> = told.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["/time_zone", "/crs"]);
        assert!(told[0].detail.contains("Did you mean Europe/Copenhagen?"), "{}", told[0].detail);
        assert!(told[1].detail.contains("25828 to 25838"), "{}", told[1].detail);
        for zone in ["+01:00", "Danish time", "Romance Standard Time"] {
            assert!(checked(zone, "").is_err(), "{zone}");
        }
    }

    #[test]
    fn what_is_not_said_is_carried_and_what_is_empty_is_dropped() {
        let before = FileReference { time_zone: Some("Asia/Taipei".to_owned()), crs: Some("EPSG:3826".to_owned()) };
        let said = FileReference { time_zone: None, crs: Some(String::new()) };
        assert_eq!(said.or(before.clone()), FileReference { crs: None, ..before });
    }
}
