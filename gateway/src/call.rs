//! The path of one model call, top to bottom.
//!
//! Each step of [`answer`] takes what the step before it made, so that none can be skipped: only
//! [`authenticate::caller`] makes a [`Caller`], only [`admission::Admission::admit`] makes a
//! [`admission::Permit`], and nothing is sent upstream without both.

pub mod admission;
pub mod authenticate;
pub mod commit;
pub mod entry;
pub mod fallback;
pub mod intake;
pub mod parts;
pub mod passthrough;
pub mod prompt;
pub mod relay;
pub mod reply;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use dialects::Endpoint;
use futures_util::FutureExt as _;
use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;

use crate::app::App;
use crate::refusal::Refusal;
use crate::routing::plan::{Next, Plan};
use admission::Announces as _;
use entry::Entry;
use fallback::Fallbacks;
use relay::Body;
use reply::Reply;

/// Serves one call and files its record, however the call ends.
pub async fn serve(app: &Arc<App>, request: Request<Incoming>, endpoint: Endpoint) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut entry = Entry::open(app, &head, endpoint); // filed on drop: also when the client hangs up

    let response = match AssertUnwindSafe(answer(app, &head, body, &mut entry)).catch_unwind().await {
        Ok(Ok(reply)) => relay::start(reply, entry), // the entry rides on the body to its last byte
        Ok(Err(refusal)) => relay::refuse(&refusal, entry),
        Err(_) => relay::refuse(&Refusal::bug(&entry.record().id), entry),
    };
    commit::committed(response).await // strict durability: nothing is answered before it is on record
}

async fn answer(app: &App, head: &Parts, body: Incoming, entry: &mut Entry) -> Result<Reply, Refusal> {
    let caller = authenticate::caller(app, &head.headers)?; //                           401
    entry.caller(&caller);

    app.room_for_records()?; //                                                          503: `on_full = "refuse"`
    let mut permit = app.admission.admit(&head.headers, body.announced())?; //          413, 503: slot and memory
    let bytes = intake::read(body, &app.config.limits).await?; //                        400, 408, 413
    permit.cover(bytes.len());
    entry.request_body(&bytes);
    let request = intake::scan(&bytes, head, entry.endpoint())?; //                      400: bytes -> fields, borrowed
    entry.request(&request);

    let units = parts::units(entry.record(), &request.extras);
    let found = prompt::find(app, &caller, &request, &units).await?; //                  404: name -> version
    entry.prompt(found.as_ref());
    let mut outbound = prompt::merge(&caller, &request, found.as_ref())?; //             400, 403, 422: version -> edits
    let route = prompt::target(app, &caller, outbound.model())?; //                      403, 404: model -> provider
    let mut fallbacks = Fallbacks::of(found.as_ref(), &request, outbound.model());

    let mut plan = Plan::new(route);
    loop {
        let (route, reason) = plan.target();
        let outgoing = outbound.write(&request, &route);
        let attempt = entry.attempt(&route, &outgoing, reason);
        match route.provider.send(&outgoing, entry.patience()).await {
            Ok(answer) => {
                entry.answered(attempt, &answer);
                return Ok(Reply::new(answer, outbound.into_shape(&request), permit));
            }
            Err(failure) => {
                let took = entry.failed(attempt, &failure);
                match plan.failed(&failure, took, entry.time_left()) {
                    Next::Try { wait } => entry.rest(wait).await,
                    Next::Stop => {
                        let why = (&*failure, entry.time_left());
                        let Some(next) = fallbacks.next((app, &caller), &request, why) else {
                            return Ok(Reply::failed(failure, permit)); //                400-429 relayed, 502, 504
                        };
                        (outbound, plan) = next;
                    }
                }
            }
        }
    }
}
