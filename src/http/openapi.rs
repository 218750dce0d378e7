//! The OpenAPI document: what the attributes of the handlers say, completed by what is true of all.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder,
        path::{Operation, Parameter, ParameterIn},
        schema::{ObjectBuilder, Type},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use super::problem::ProblemBody;
use crate::error::Problem;

/// The frame of the document; the router adds the paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Torv",
        description = "An open city data exchange: list data for free or at your own price, find it, buy it, use it under a \
                       licence you can read. All times are RFC 3339 in UTC, all sums whole minor units with a currency, \
                       all failures `application/problem+json`. Lists are paged by an opaque cursor. Repeat a POST that \
                       creates orders, money or grants with the same `Idempotency-Key`: it has no second effect.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    servers((url = "/", description = "This exchange")),
    components(schemas(ProblemBody)),
    modifiers(&Bearer),
    tags(
        (name = "accounts", description = "Register, log in, stay logged in"),
        (name = "organizations", description = "Organisations, members, invitations, API keys, audit log"),
        (name = "catalogue", description = "Listings, revisions, files, profiles"),
        (name = "terms", description = "Licences and offers"),
        (name = "trade", description = "Quotes, orders, payments, grants"),
        (name = "delivery", description = "Downloads of what a grant covers"),
        (name = "sharing", description = "Tables in the buyer's own tools, by the Delta Sharing protocol"),
        (name = "sql", description = "SQL over the tables you hold grants on, without downloading them"),
        (name = "features", description = "Geodata on the maps of desktop tools, by OGC API Features"),
        (name = "notices", description = "What happened: notices, and webhooks that carry them to your own address"),
        (name = "settlement", description = "Balances, statements, payouts, reconciliation"),
        (name = "transparency", description = "Signed tree heads, proofs and totals that anybody may fetch"),
        (name = "operations", description = "Health, metrics, keys, webhooks")
    )
)]
pub struct ApiDoc;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An access token from `POST /api/v1/sessions`, or an API key. A member of several organisations names \
                 the one acted for in a `Torv-Organization` header.",
            ))
            .build();
        let basic = Http::builder()
            .scheme(HttpAuthScheme::Basic)
            .description(Some(
                "For reading alone: the user `token`, and an API key or the token of a share as the password.",
            ))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        components.add_security_scheme("basic", SecurityScheme::Http(basic));
    }
}

/// Adds the failures that every operation of a kind can have, so that no handler repeats them.
pub fn complete(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        let methods = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch, &mut item.head];
        for operation in methods.into_iter().flatten() {
            complete_operation(operation);
        }
    }
}

fn complete_operation(operation: &mut Operation) {
    let mut problems = vec![Problem::Malformed, Problem::MethodNotAllowed, Problem::Internal, Problem::Unavailable];
    let secured = operation.security.as_ref().is_some_and(|all| !all.is_empty());
    if secured {
        problems.extend([Problem::Unauthenticated, Problem::Forbidden, Problem::NotFound]);
    }
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    if parameters.iter().any(is_in_path) {
        problems.push(Problem::NotFound);
    }
    if !parameters.is_empty() {
        problems.push(Problem::Invalid);
    }
    if operation.request_body.is_some() {
        problems.extend([Problem::TooLarge, Problem::UnsupportedMediaType, Problem::Invalid]);
    }
    for problem in problems {
        let status = problem.status().to_string();
        operation.responses.responses.entry(status).or_insert_with(|| RefOr::T(response(problem)));
    }
    for (status, response) in &mut operation.responses.responses {
        if status.starts_with(['4', '5'])
            && let RefOr::T(response) = response
            && response.content.is_empty()
        {
            response.content.insert("application/problem+json".to_owned(), problem_content().into());
        }
    }
}

fn is_in_path(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path)
}

fn problem_content() -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build()
}

fn response(problem: Problem) -> Response {
    let mut response =
        ResponseBuilder::new().description(problem.title()).content("application/problem+json", problem_content());
    if problem == Problem::Unavailable {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).description(Some("Seconds to wait")).build();
        response = response.header("Retry-After", HeaderBuilder::new().schema(Some(seconds)).build());
    }
    response.build()
}
