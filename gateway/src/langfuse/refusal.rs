//! Refusals in Langfuse's shape: `{message, error}`, where `error` is a name, or a list of what is wrong with the data.

use http::{HeaderValue, Response, header};
use serde_json::{Value, json};

use crate::call::relay::Body;
use crate::refusal::{Kind, Refusal};
use crate::surface;

/// The refusal as an answer.
pub(super) fn answer(refusal: &Refusal) -> Response<Body> {
    let mut response = surface::json(refusal.status(), &body(refusal));
    let headers = response.headers_mut();
    headers.extend(refusal.headers());
    if refusal.kind() == Kind::InvalidApiKey {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"weir\""));
    }
    response
}

fn body(refusal: &Refusal) -> Value {
    let message = refusal.message();
    match refusal.param_name().filter(|_| refusal.status().as_u16() == 400) {
        // As Zod, which Langfuse's server checks its input with, lists what is wrong.
        Some(param) => {
            let issue = json!({"code": "custom", "path": path(param), "message": message});
            json!({"message": "Invalid request data", "error": [issue]})
        }
        None => json!({"message": message, "error": name(refusal.status().as_u16())}),
    }
}

/// `labels[0]` as its steps.
fn path(param: &str) -> Vec<Value> {
    let steps = param.split(['.', '[', ']']).filter(|step| !step.is_empty());
    steps.map(|step| step.parse::<u32>().map_or_else(|_| json!(step), |index| json!(index))).collect()
}

/// The name Langfuse has for errors of a status.
fn name(status: u16) -> &'static str {
    match status {
        401 => "UnauthorizedError",
        403 => "ForbiddenError",
        404 => "LangfuseNotFoundError",
        405 => "MethodNotAllowedError",
        409 => "LangfuseConflictError",
        503 => "ServiceUnavailableError",
        500.. => "InternalServerError",
        _ => "InvalidRequestError",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_the_data_is_listed_with_its_path() {
        let refusal = Refusal::new(Kind::InvalidRequest, "no such role").param("prompt[2].role");
        let issue = json!({"code": "custom", "path": ["prompt", 2, "role"], "message": "no such role"});
        assert_eq!(body(&refusal), json!({"message": "Invalid request data", "error": [issue]}));
    }

    #[test]
    fn anything_else_has_a_name() {
        let refusal = Refusal::new(Kind::PromptNotFound, "Prompt not found").param("prompt");
        assert_eq!(body(&refusal), json!({"message": "Prompt not found", "error": "LangfuseNotFoundError"}));
        assert_eq!(answer(&refusal).status(), 404);
        let refused = answer(&Refusal::new(Kind::InvalidApiKey, "no key"));
        assert_eq!(refused.headers()[header::WWW_AUTHENTICATE], "Basic realm=\"weir\"");
    }
}
