//! The admin listener: the admin API under `/api/v1`, health, metrics, and a page that says where things are.
//!
//! One file per resource holds its routes, bodies and documentation together; [`description`] puts the
//! documentation into one OpenAPI file. Every route that needs a token takes an [`permission::Allowed`], which
//! exists only after token, role, project and query were judged.

mod alerts;
mod answer;
mod audit;
mod calls;
mod condition;
mod description;
mod diff;
mod drafts;
mod experiments;
mod feedback_links;
mod given;
mod keys;
mod labels;
mod permission;
mod policies;
mod prices;
mod projects;
mod prompts;
mod records;
mod releases;
mod rendering;
mod replay;
mod reports;
mod scores;
mod searched;
mod sessions;
mod snippets;
mod span;
mod system;
mod tokens;
mod traces;
mod versions;
mod views;
mod webhooks;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::listen::{Service, Stopping};
use crate::refusal::{Kind, Refusal};
use replay::Replays;

pub use description::openapi;

/// Everything the admin listener answers; cheap to clone.
#[derive(Clone)]
pub struct AdminPlane {
    router: TowerToHyperService<Router>,
}

/// What the routes need.
#[derive(Clone)]
struct Admin {
    app: Arc<App>,
    stopping: Stopping,
    replays: Arc<Replays>,
    exports: Arc<Semaphore>,
    /// The OpenAPI file, written out.
    openapi: Bytes,
}

impl AdminPlane {
    /// The admin API over the program's parts.
    pub fn new(app: Arc<App>, stopping: Stopping) -> Self {
        let replays = Arc::new(Replays::new(app.clock.clone()));
        let (router, openapi) = description::split(routes());
        let openapi = description::write(&openapi).into();
        let exports = Arc::new(Semaphore::new(calls::EXPORTS));
        let admin = Admin { app, stopping, replays, exports, openapi };
        let router = router
            .fallback(no_such_route)
            .method_not_allowed_fallback(no_such_method)
            .layer(DefaultBodyLimit::disable()) // `given` has its own limit, with a refusal that names it
            .layer(from_fn_with_state(admin.clone(), replay::once))
            .layer(from_fn_with_state(admin.app.clock.clone(), answer::note))
            .with_state(admin);
        Self { router: TowerToHyperService::new(router) }
    }
}

impl Service<Body> for AdminPlane {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        match self.router.call(request).await {
            Ok(response) => response,
            Err(never) => {
                let never: Infallible = never;
                match never {}
            }
        }
    }
}

/// Every route and its documentation.
fn routes() -> OpenApiRouter<Admin> {
    let api = OpenApiRouter::default()
        .merge(prompts::routes())
        .merge(versions::routes())
        .merge(diff::routes())
        .merge(drafts::routes())
        .merge(snippets::routes())
        .merge(labels::routes())
        .merge(policies::routes())
        .merge(releases::routes())
        .merge(experiments::routes())
        .merge(rendering::routes())
        .merge(projects::routes())
        .merge(keys::routes())
        .merge(tokens::routes())
        .merge(calls::routes())
        .merge(traces::routes())
        .merge(sessions::routes())
        .merge(scores::routes())
        .merge(feedback_links::routes())
        .merge(reports::routes())
        .merge(views::routes())
        .merge(prices::routes())
        .merge(records::routes())
        .merge(alerts::routes())
        .merge(webhooks::routes())
        .merge(audit::routes())
        .merge(system::api_routes());
    OpenApiRouter::with_openapi(description::base()).nest("/api/v1", api).merge(system::routes())
}

async fn no_such_route(uri: Uri) -> Refusal {
    Refusal::new(
        Kind::NotFound,
        match uri.path().strip_prefix("/api/v1/") {
            Some(_) => {
                "this version has no such route: GET /api/v1/openapi.json lists those it has; `/` in the name of a prompt \
             is written %2F"
            }
            None => {
                "no such route: the admin API is below /api/v1, models are called on the data plane's listener"
            }
        },
    )
}

async fn no_such_method(method: Method) -> Refusal {
    Refusal::new(
        Kind::MethodNotAllowed,
        format!("this route does not take {method}: the header `allow` lists what it takes"),
    )
}
