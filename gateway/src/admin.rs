//! The admin listener: the admin API under `/api/v1`, health, metrics, and its own description.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use crate::app::App;
use crate::listen::{Service, Stopping};

/// Everything the admin listener answers; cheap to clone.
#[derive(Clone)]
pub struct AdminPlane {
    router: TowerToHyperService<Router>,
}

impl AdminPlane {
    /// The admin API over the program's parts.
    pub fn new(app: Arc<App>, stopping: Stopping) -> Self {
        drop((app, stopping));
        Self { router: TowerToHyperService::new(Router::new()) }
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
