//! What people define: prompts and their versions, labels, virtual keys and admin tokens.

pub mod content;
pub mod template;
