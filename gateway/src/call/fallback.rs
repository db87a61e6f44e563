//! What a version says to try when its model fails: the next model, with what is different for it.

use std::sync::Arc;
use std::time::Duration;

use registry::Resolved;
use registry::content::{Content, Fallback};

use super::authenticate::Caller;
use super::intake::Request;
use super::prompt::{self, Outbound};
use crate::app::App;
use crate::routing::plan::Plan;
use crate::upstream::Failure;

/// Members of a request that bind it to what one provider keeps.
const BOUND: [&str; 2] = ["previous_response_id", "conversation"];

/// The models left to try, in the version's order.
pub struct Fallbacks<'r> {
    found: Option<&'r Resolved>,
    tried: usize,
}

impl<'r> Fallbacks<'r> {
    /// Those of the version that was found. None when the caller chose another model than the version's, or the call
    /// goes on with what its provider keeps.
    pub fn of(found: Option<&'r Resolved>, request: &Request<'_>, model: &str) -> Self {
        let is_own = |found: &&Resolved| found.version.content.model.as_deref() == Some(model);
        let binds = |name| request.body.get(name).is_some_and(|value| value.get() != "null");
        let is_bound = BOUND.into_iter().any(binds);
        Self { found: found.filter(is_own).filter(|_| !is_bound), tried: 0 }
    }

    /// The next one that this key may use and somebody here serves, if the failure leaves hope and time for it. What
    /// the model cannot take is passed over.
    pub fn next<'a>(
        &mut self,
        (app, caller): (&App, &Caller),
        request: &Request<'a>,
        (failure, left): (&Failure, Duration),
    ) -> Option<(Outbound<'a>, Plan)> {
        let resolved = self.found.filter(|_| failure.fault.class.may_work_elsewhere() && !left.is_zero())?;
        let fallbacks = &resolved.version.content.fallbacks;
        while let Some(fallback) = fallbacks.get(self.tried) {
            self.tried += 1;
            let Ok(route) = prompt::target(app, caller, &fallback.model) else { continue };
            let content = overridden(&resolved.version.content, fallback);
            if let Ok(outbound) = prompt::fall_back(caller, request, (resolved, &content), &fallback.model) {
                return Some((outbound, Plan::fallback(Arc::clone(&route))));
            }
        }
        None
    }
}

/// The version's content as it is with another model. Its own model stays in it: what is locked is held to that.
fn overridden(content: &Content, fallback: &Fallback) -> Content {
    let mut content = content.clone();
    content.parameters = dialects::merge::overridden(&content.parameters, &fallback.parameters);
    if let Some(tools) = &fallback.tools {
        content.tools = tools.as_array().cloned();
    }
    if let Some(choice) = &fallback.tool_choice {
        content.tool_choice = Some(choice.clone()).filter(|choice| !choice.is_null());
    }
    if let Some(format) = &fallback.response_format {
        content.response_format = Some(format.clone()).filter(|format| !format.is_null());
    }
    let changes = |name: &String| match name.as_str() {
        "tools" => fallback.tools.is_some(),
        "tool_choice" => fallback.tool_choice.is_some(),
        "response_format" => fallback.response_format.is_some(),
        name => fallback.parameters.contains_key(name),
    };
    // The caller was held to the version's own value already.
    content.locked.retain(|name| !changes(name));
    content
}
