//! A rendered prompt and the caller's request, put together.

use serde_json::Value;

use crate::chat::Message;

/// One entry of a rendered prompt.
#[derive(Clone, Debug, PartialEq)]
pub enum RenderedItem {
    /// A message whose texts are final.
    Message(Message),
    /// A place the caller's messages go to, or the messages a variable put there.
    Placeholder {
        /// The name of the place.
        name: String,
        /// The messages of the variable of that name.
        fill: Option<Vec<Value>>,
    },
}
