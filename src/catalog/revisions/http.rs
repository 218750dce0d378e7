//! Revisions, files and profiles over HTTP.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use entity::{
    ids::{FileId, ListingId, OrgId, RevisionId},
    listing, revision,
    states::RevisionState,
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    reference::{self, FileReference, ReferenceQuery},
    service, store,
    upload::{Announced, pieces},
    view::{FileProfileView, FileView, RevisionDetail, RevisionView},
};
use crate::{
    auth::actor::{Acting, CanEdit, Visitor},
    base::page::Page,
    catalog::{listings, profile::SamplePolicy, renditions},
    error::{Check, Error, Problem, Result},
    http::{
        Id, Json, PageQuery, Query,
        extract::{Ids, page_cursor},
    },
    limits,
    state::AppState,
};

/// The operations on revisions.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_revisions, open_revision))
        .routes(routes!(get_revision, discard_revision))
        .routes(routes!(publish_revision))
        .routes(routes!(delete_file))
        .routes(routes!(get_file_profile))
        .routes(routes!(set_sample_policy))
        .routes(routes!(set_file_reference))
}

/// The operation that takes as long as the bytes take; it has a limit of its own on how long it waits for them.
pub fn upload_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(put_file))
}

/// What is said about a new revision.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"note": "First six days."}))]
struct RevisionIn {
    /// What changed since the one before.
    #[serde(default)]
    note: String,
}

/// The bytes of a file, as they are.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary, example = "station,level\nAsuwa,1.25\n")]
#[expect(dead_code, reason = "names the schema of a body that is streamed, never built")]
struct FileBody(Vec<u8>);

/// Lists the revisions of a listing, newest first; the open one for its owner only.
#[utoipa::path(
    get, path = "/listings/{id}/revisions", tag = "catalogue", security((), ("bearer" = [])),
    params(("id" = ListingId, Path, description = "The listing"), PageQuery),
    responses((status = 200, description = "A page of revisions", body = Page<RevisionView>, example = json!({"items": [{
        "id": "rev_019352f0a1b27c3d8e4f5061728394a5", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5",
        "number": 1, "state": "published", "note": "First six days.", "created_at": "2026-11-21T10:00:00Z",
        "published_at": "2026-11-21T10:05:00Z", "file_count": 1, "size_bytes": 4096
    }]})))
)]
async fn list_revisions(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id<ListingId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<RevisionView>>> {
    let conn = app.db.read();
    let listing = listings::find_visible(conn, id, visitor.org_id()).await?;
    let is_owner = visitor.org_id() == Some(listing.organization_id);
    let after = page_cursor(query.cursor.as_deref())?;
    let page = store::find_page(conn, id, is_owner, after, query.limit()?).await?;
    Ok(Json(page.map(RevisionView::from)))
}

/// Opens a revision to put files into; one at a time.
#[utoipa::path(
    post, path = "/listings/{id}/revisions", tag = "catalogue", security(("bearer" = [])), request_body = RevisionIn,
    params(("id" = ListingId, Path, description = "The listing")),
    responses(
        (status = 201, description = "The open revision", body = RevisionDetail,
            headers(("Location" = String, description = "Its address"))),
        (status = 409, description = "Another revision is open, or the listing is retired")
    )
)]
async fn open_revision(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<ListingId>,
    Json(input): Json<RevisionIn>,
) -> Result<Response> {
    let mut check = Check::new();
    check.at_most(&input.note, limits::NOTE_CHARS_MAX, "/note");
    check.done()?;
    let owner = actor.org_id();
    let id = service::open_revision(&app, actor, id, input.note).await?;
    let location = [(header::LOCATION, format!("/api/v1/revisions/{id}"))];
    Ok((StatusCode::CREATED, location, show(&app, id, Some(owner)).await?).into_response())
}

/// Shows a revision with its files.
#[utoipa::path(
    get, path = "/revisions/{id}", tag = "catalogue", security((), ("bearer" = [])),
    params(("id" = RevisionId, Path, description = "The revision")),
    responses((status = 200, description = "The revision", body = RevisionDetail))
)]
async fn get_revision(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id<RevisionId>,
) -> Result<Json<RevisionDetail>> {
    show(&app, id, visitor.org_id()).await
}

/// Deletes an open revision with its files.
#[utoipa::path(
    delete, path = "/revisions/{id}", tag = "catalogue", security(("bearer" = [])),
    params(("id" = RevisionId, Path, description = "The revision")),
    responses((status = 204, description = "It is gone"), (status = 409, description = "It is published, and stays"))
)]
async fn discard_revision(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<RevisionId>,
) -> Result<StatusCode> {
    service::discard_revision(&app, actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Publishes a revision for ever. Its listing offers it from now on; a profile of each file follows.
#[utoipa::path(
    post, path = "/revisions/{id}/publish", tag = "catalogue", security(("bearer" = [])),
    params(("id" = RevisionId, Path, description = "The revision")),
    responses(
        (status = 200, description = "The published revision", body = RevisionDetail),
        (status = 409, description = "It is published already, has no file, lacks a column of a key, or its listing is retired")
    )
)]
async fn publish_revision(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<RevisionId>,
) -> Result<Json<RevisionDetail>> {
    let owner = actor.org_id();
    service::publish_revision(&app, actor, id).await?;
    show(&app, id, Some(owner)).await
}

/// Uploads a file: its bytes are the body. Send it again to replace it, or to restart a broken upload.
///
/// Nothing is kept of an upload that breaks off, is too large, or has another digest than announced. Archives are
/// kept as they are and never unpacked.
#[utoipa::path(
    put, path = "/revisions/{id}/files/{name}", tag = "catalogue", security(("bearer" = [])),
    request_body(content = FileBody, content_type = "application/octet-stream", description = "The bytes of the file"),
    params(
        ("id" = RevisionId, Path, description = "The open revision"),
        ("name" = String, Path, description = "The file's name, percent-encoded; its ending tells the format",
            example = "levels.csv"),
        ReferenceQuery,
        ("X-Content-SHA256" = Option<String>, Header, description = "SHA-256 of the file, 64 hexadecimal digits"),
        ("Content-Digest" = Option<String>, Header, description = "The same as RFC 9530 writes it: sha-256=:base64:")
    ),
    responses(
        (status = 200, description = "It replaced the file of this name", body = FileView),
        (status = 201, description = "It is new", body = FileView),
        (status = 409, description = "The revision is published or full"),
        (status = 413, description = "The file, or the revision with it, would be too large"),
        (status = 415, description = "Files of this format are not taken"),
        (status = 422, description = "A bad name, an unknown zone or system, an empty file, or another digest than announced")
    )
)]
async fn put_file(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Ids(id, name): Ids<RevisionId, String>,
    Query(stated): Query<ReferenceQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<FileView>)> {
    let announced = Announced::of(&headers)?;
    let (row, replaced) = service::put_file(&app, actor, id, &name, stated.into(), announced, pieces(body)).await?;
    let status = if replaced { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(row.into())))
}

/// Deletes a file of an open revision.
#[utoipa::path(
    delete, path = "/revisions/{id}/files/{name}", tag = "catalogue", security(("bearer" = [])),
    params(
        ("id" = RevisionId, Path, description = "The open revision"),
        ("name" = String, Path, description = "The file's name", example = "levels.csv")
    ),
    responses((status = 204, description = "It is gone"), (status = 409, description = "The revision is published"))
)]
async fn delete_file(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Ids(id, name): Ids<RevisionId, String>,
) -> Result<StatusCode> {
    service::delete_file(&app, actor, id, name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows what is known of the content of a file: schema, counts, extremes, and the rows its owner shows.
///
/// Of personal data nobody else sees a row, unless the owner chose columns or wrote rows to show.
#[utoipa::path(
    get, path = "/files/{id}/profile", tag = "catalogue", security((), ("bearer" = [])),
    params(("id" = FileId, Path, description = "The file")),
    responses((status = 200, description = "The profile, or where it stands", body = FileProfileView))
)]
async fn get_file_profile(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id<FileId>,
) -> Result<Json<FileProfileView>> {
    show_profile(&app, id, visitor.org_id()).await
}

/// Sets what others see of the content of a file before they have it.
///
/// A later file of the same name shows no more than this one.
#[utoipa::path(
    put, path = "/files/{id}/sample-policy", tag = "catalogue", security(("bearer" = [])), request_body = SamplePolicy,
    params(("id" = FileId, Path, description = "The file")),
    responses((status = 200, description = "The profile as you see it, with the policy", body = FileProfileView))
)]
async fn set_sample_policy(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<FileId>,
    Json(policy): Json<SamplePolicy>,
) -> Result<Json<FileProfileView>> {
    let owner = actor.org_id();
    service::set_sample_policy(&app, actor, id, policy).await?;
    show_profile(&app, id, Some(owner)).await
}

/// States in which time zone and coordinate system the values of a file are, where it does not say so itself, until its
/// revision is published.
///
/// Renditions have times in UTC and geometry in WGS 84 by it. The next revision's file of the same name has it too.
#[utoipa::path(
    put, path = "/files/{id}/reference", tag = "catalogue", security(("bearer" = [])), request_body = FileReference,
    params(("id" = FileId, Path, description = "A file of an open revision")),
    responses(
        (status = 200, description = "The file", body = FileView),
        (status = 409, description = "The revision is published"),
        (status = 422, description = "No such zone, or a system that is not known here")
    )
)]
async fn set_file_reference(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<FileId>,
    Json(stated): Json<FileReference>,
) -> Result<Json<FileView>> {
    Ok(Json(reference::set(&app, actor, id, stated).await?.into()))
}

async fn show(app: &AppState, id: RevisionId, viewer: Option<OrgId>) -> Result<Json<RevisionDetail>> {
    let (revision, listing) = find_visible_revision(app, id, viewer).await?;
    let files = store::files(app.db.read(), id).await?;
    let mut renditions = renditions::of_revision(app.db.read(), id).await?;
    let is_owner = viewer == Some(listing.organization_id);
    let shown = |file: store::FileRow| {
        let renditions = renditions.remove(&file.id).unwrap_or_default();
        FileView::of(file, renditions, is_owner)
    };
    Ok(Json(RevisionDetail { revision: revision.into(), files: files.into_iter().map(shown).collect() }))
}

/// Finds a revision that `viewer` may see, with its listing; open ones are for owners.
async fn find_visible_revision(
    app: &AppState,
    id: RevisionId,
    viewer: Option<OrgId>,
) -> Result<(revision::Model, listing::Model)> {
    let unknown = || Error::not_found("revision");
    let row = store::find_unscoped(app.db.read(), id).await?.ok_or_else(unknown)?;
    let listing =
        listings::find_visible(app.db.read(), row.listing_id, viewer).await.map_err(unknown_is("revision"))?;
    let may_see = row.state == RevisionState::Published || viewer == Some(listing.organization_id);
    if may_see { Ok((row, listing)) } else { Err(unknown()) }
}

async fn show_profile(app: &AppState, id: FileId, viewer: Option<OrgId>) -> Result<Json<FileProfileView>> {
    let row = store::find_file(app.db.read(), id).await?.ok_or_else(|| Error::not_found("file"))?;
    let found = find_visible_revision(app, row.revision_id, viewer).await;
    let (_, listing) = found.map_err(unknown_is("file"))?;
    let is_owner = viewer == Some(listing.organization_id);
    FileProfileView::of(row, listing.personal_data, is_owner).map(Json)
}

/// Says "not found" of what was asked for, rather than of what it belongs to.
fn unknown_is(what: &'static str) -> impl Fn(Error) -> Error {
    move |error| if error.problem == Problem::NotFound { Error::not_found(what) } else { error }
}
