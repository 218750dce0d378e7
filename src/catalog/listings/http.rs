//! Listings over HTTP.

use axum::{
    extract::{FromRequestParts, State},
    http::{StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use entity::{
    ids::{ListingId, OrgId},
    listing,
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    extras,
    fields::{ListingIn, ListingPatch},
    model::Step,
    query::{OwnQuery, REPEATABLE, SearchQuery, Sort, cursor_in},
    search, service, store,
    view::{CataloguePage, Eye, ListingCard, ListingView, card_example},
};
use crate::{
    auth::actor::{Acting, CanEdit, CanRead, Operating, Visitor},
    base::page::Page,
    error::{Check, Error, Result},
    http::{
        Id, IfMatch, Json, PageQuery, Query,
        extract::{etag, page_limit},
    },
    limits,
    state::AppState,
};

/// The operations on listings.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(search_listings, create_listing))
        .routes(routes!(get_listing, edit_listing))
        .routes(routes!(publish_listing))
        .routes(routes!(withdraw_listing))
        .routes(routes!(retire_listing))
        .routes(routes!(approve_listing))
        .routes(routes!(return_listing))
        .routes(routes!(list_own_listings))
        .routes(routes!(list_listings_in_review))
}

/// Finds listings by words, filters and place, with counts for narrowing down.
///
/// Only published listings whose audience you belong to are found. With `facets=true` the counts are those of the
/// whole filtered set.
#[utoipa::path(
    get, path = "/listings", tag = "catalogue", params(SearchQuery), security((), ("bearer" = [])),
    responses((status = 200, description = "A page of listings", body = CataloguePage))
)]
async fn search_listings(
    State(app): State<AppState>,
    visitor: Visitor,
    RepeatableQuery(query): RepeatableQuery,
) -> Result<Json<CataloguePage>> {
    let search = query.checked()?;
    let (conn, viewer) = (app.db.read(), visitor.org_id());
    let page = cards(&app, search::find_page(conn, &search, viewer).await?).await?;
    let facets = match query.facets {
        Some(true) => Some(search::count_facets(conn, &search.filter, viewer).await?.into()),
        _ => None,
    };
    Ok(Json(CataloguePage { page, facets }))
}

/// Writes a new listing as a draft that only your organisation sees.
#[utoipa::path(
    post, path = "/listings", tag = "catalogue", security(("bearer" = [])), request_body = ListingIn,
    responses((status = 201, description = "The draft", body = ListingView,
        headers(("Location" = String, description = "Its address"), ("ETag" = String, description = "Its version"))))
)]
async fn create_listing(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Json(input): Json<ListingIn>,
) -> Result<Response> {
    let owner = actor.org_id();
    let id = service::create_listing(&app, actor, input).await?;
    let location = [(header::LOCATION, format!("/api/v1/listings/{id}"))];
    Ok((StatusCode::CREATED, location, show_own(&app, id, owner).await?).into_response())
}

/// Shows a listing.
///
/// Your own in any state; those of others once they are published, also after they were retired, if you belong to
/// the audience. The operator also sees what is in review.
#[utoipa::path(
    get, path = "/listings/{id}", tag = "catalogue", params(("id" = ListingId, Path, description = "The listing")),
    security((), ("bearer" = [])),
    responses((status = 200, description = "The listing", body = ListingView,
        headers(("ETag" = String, description = "Its version, for If-Match"))))
)]
async fn get_listing(State(app): State<AppState>, visitor: Visitor, Id(id): Id<ListingId>) -> Result<Response> {
    let conn = app.db.read();
    let operates = visitor.0.as_ref().is_some_and(|actor| actor.organization.may_operate);
    let mut row = store::find_visible(conn, id, visitor.org_id()).await?;
    if row.is_none() && operates {
        row = store::find_in_review(conn, id).await?;
    }
    let row = row.ok_or_else(|| Error::not_found("listing"))?;
    let eye = match visitor.org_id() {
        Some(viewer) if viewer == row.organization_id => Eye::Owner,
        _ if operates => Eye::Operator,
        _ => Eye::Visitor,
    };
    show(&app, row, eye).await
}

/// Changes the description of a listing: send only what changes, and the `ETag` you read in `If-Match`.
#[utoipa::path(
    patch, path = "/listings/{id}", tag = "catalogue", security(("bearer" = [])), request_body = ListingPatch,
    params(("id" = ListingId, Path, description = "The listing"),
        ("If-Match" = String, Header, description = "The ETag you read", example = "\"3\"")),
    responses(
        (status = 200, description = "The listing as it is now", body = ListingView),
        (status = 403, description = "Missing right, or the law keeps this theme free and the listing has a price"),
        (status = 409, description = "Its state does not allow an edit, or it would lose its price or answer time"),
        (status = 412, description = "Somebody changed it since you read it"),
        (status = 428, description = "The If-Match header is missing")
    )
)]
async fn edit_listing(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<ListingId>,
    IfMatch(version): IfMatch,
    Json(patch): Json<ListingPatch>,
) -> Result<Response> {
    let owner = actor.org_id();
    service::edit_listing(&app, actor, id, version, patch).await?;
    show_own(&app, id, owner).await
}

/// Publishes a draft; where the operator reviews listings, hands it in for review.
///
/// It needs a published revision, a use case, and a public price or a promised answer time.
#[utoipa::path(
    post, path = "/listings/{id}/publish", tag = "catalogue", security(("bearer" = [])),
    params(("id" = ListingId, Path, description = "The listing")),
    responses(
        (status = 200, description = "The listing, published or in review", body = ListingView),
        (status = 409, description = "It is no draft, or something is missing; the detail says what")
    )
)]
async fn publish_listing(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<ListingId>,
) -> Result<Response> {
    let step = Step::Publish { review: app.config.trade.review_listings };
    let owner = actor.org_id();
    service::move_listing(&app, actor, id, step).await?;
    show_own(&app, id, owner).await
}

/// Takes a listing back from review; it is a draft again.
#[utoipa::path(
    post, path = "/listings/{id}/withdraw", tag = "catalogue", security(("bearer" = [])),
    params(("id" = ListingId, Path, description = "The listing")),
    responses(
        (status = 200, description = "The draft", body = ListingView),
        (status = 409, description = "It is not in review")
    )
)]
async fn withdraw_listing(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<ListingId>,
) -> Result<Response> {
    let owner = actor.org_id();
    service::move_listing(&app, actor, id, Step::Withdraw).await?;
    show_own(&app, id, owner).await
}

/// Retires a published listing for good: it is not found any more and can't be ordered; grants stay what they are.
#[utoipa::path(
    post, path = "/listings/{id}/retire", tag = "catalogue", security(("bearer" = [])),
    params(("id" = ListingId, Path, description = "The listing")),
    responses(
        (status = 200, description = "The retired listing", body = ListingView),
        (status = 409, description = "It is not published")
    )
)]
async fn retire_listing(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<ListingId>,
) -> Result<Response> {
    let owner = actor.org_id();
    service::move_listing(&app, actor, id, Step::Retire).await?;
    show_own(&app, id, owner).await
}

/// Lets a listing in review through: it is published. For the operator.
#[utoipa::path(
    post, path = "/listings/{id}/approve", tag = "catalogue", security(("bearer" = [])),
    params(("id" = ListingId, Path, description = "The listing")),
    responses(
        (status = 204, description = "It is published"),
        (status = 409, description = "Something is missing by now; the detail says what")
    )
)]
async fn approve_listing(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanEdit>,
    Id(id): Id<ListingId>,
) -> Result<StatusCode> {
    service::review_listing(&app, actor, id, Step::Approve, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why a listing goes back to its provider.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"note": "Say in the summary how the levels were measured."}))]
struct ReturnIn {
    /// What the provider should change.
    note: String,
}

/// Sends a listing in review back to its provider with a note; it is a draft again. For the operator.
#[utoipa::path(
    post, path = "/listings/{id}/return", tag = "catalogue", security(("bearer" = [])), request_body = ReturnIn,
    params(("id" = ListingId, Path, description = "The listing")),
    responses((status = 204, description = "It is a draft again"))
)]
async fn return_listing(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanEdit>,
    Id(id): Id<ListingId>,
    Json(input): Json<ReturnIn>,
) -> Result<StatusCode> {
    let mut check = Check::new();
    check.text(&input.note, limits::NOTE_CHARS_MAX, "/note");
    check.done()?;
    service::review_listing(&app, actor, id, Step::Return, Some(input.note)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists your organisation's listings in all states, newest change first.
#[utoipa::path(
    get, path = "/organizations/{id}/listings", tag = "catalogue", security(("bearer" = [])),
    params(("id" = OrgId, Path, description = "Your organisation"), OwnQuery),
    responses((status = 200, description = "A page of listings", body = Page<ListingCard>,
        example = json!({"items": [card_example("draft")]})))
)]
async fn list_own_listings(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<OrgId>,
    Query(query): Query<OwnQuery>,
) -> Result<Json<Page<ListingCard>>> {
    if id != actor.org_id() {
        return Err(Error::not_found("organisation"));
    }
    let (state, limit) = (query.state()?, page_limit(query.limit)?);
    let after = cursor_in(Sort::Updated, query.cursor.as_deref())?;
    let page = search::find_own_page(app.db.read(), id, state, after, limit).await?;
    cards(&app, page).await.map(Json)
}

/// Lists what waits for review, newest change first. For the operator.
#[utoipa::path(
    get, path = "/listings-in-review", tag = "catalogue", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of listings", body = Page<ListingCard>,
        example = json!({"items": [card_example("in_review")]})))
)]
async fn list_listings_in_review(
    State(app): State<AppState>,
    _: Operating<CanEdit>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ListingCard>>> {
    let after = cursor_in(Sort::Updated, query.cursor.as_deref())?;
    let page = search::find_in_review_page(app.db.read(), after, query.limit()?).await?;
    cards(&app, page).await.map(Json)
}

async fn cards(app: &AppState, page: Page<listing::Model>) -> Result<Page<ListingCard>> {
    let extras = extras::read(app.db.read(), &page.items).await?;
    let items = page.items.iter().map(|row| ListingCard::of(row, &extras)).collect::<Result<_>>()?;
    Ok(Page { items, next_cursor: page.next_cursor })
}

async fn show_own(app: &AppState, id: ListingId, owner: OrgId) -> Result<Response> {
    let row = store::find_owned(app.db.read(), id, owner).await?.ok_or_else(|| Error::not_found("listing"))?;
    show(app, row, Eye::Owner).await
}

async fn show(app: &AppState, row: listing::Model, eye: Eye) -> Result<Response> {
    let conn = app.db.read();
    let rows = [row];
    let extras = extras::read(conn, &rows).await?;
    let [row] = rows;
    let audience = if eye == Eye::Owner { store::audience(conn, row.id).await? } else { Vec::new() };
    let current = extras::current_revision(conn, row.current_revision_id).await?;
    let view = ListingView::of(&row, &extras, audience, current, eye)?;
    Ok((etag(row.version), Json(view)).into_response())
}

/// [`SearchQuery`], where a repeated list parameter is the same as one with commas.
struct RepeatableQuery(SearchQuery);

impl FromRequestParts<AppState> for RepeatableQuery {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            let earlier = pairs.iter_mut().find(|(earlier, _)| *earlier == name);
            match earlier {
                Some((_, values)) if REPEATABLE.contains(&&*name) => {
                    values.push(',');
                    values.push_str(&value);
                }
                _ => pairs.push((name.into_owned(), value.into_owned())),
            }
        }
        let joined = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mut probe = axum::http::Request::new(()).into_parts().0;
        probe.uri = format!("/?{joined}").parse::<Uri>().map_err(Error::internal)?;
        Query::from_request_parts(&mut probe, app).await.map(|Query(query)| Self(query))
    }
}
