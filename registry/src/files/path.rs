//! Where a prompt's file lies: `support/reply` is `support/reply.prompt`.

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use vocab::PromptName;

/// The extension of prompt files.
pub const EXTENSION: &str = "prompt";

/// Why a path is not a prompt's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PathProblem(String);

/// The path of a prompt's file, relative to the folder of all prompts.
///
/// Folders of the name are folders of the path. A dot at the start or the end of a segment and a blank at the end are
/// written as `%2E` and `%20`: no name leads out of the folder, hides a file, or troubles Windows.
pub fn path_of(name: &PromptName) -> PathBuf {
    let mut path: PathBuf = name.as_str().split('/').map(encode).collect();
    path.as_mut_os_string().push(".");
    path.as_mut_os_string().push(EXTENSION);
    path
}

/// The prompt whose file lies at a path relative to the folder of all prompts.
pub fn name_of(path: &Path) -> Result<PromptName, PathProblem> {
    let shown = path.display();
    if path.extension().is_none_or(|extension| extension != EXTENSION) {
        return Err(PathProblem(format!("`{shown}` is not a prompt: its name has to end with .{EXTENSION}")));
    }
    let mut segments = Vec::new();
    for component in path.with_extension("").components() {
        match component {
            Component::Normal(segment) => segments.push(segment.to_string_lossy().into_owned()),
            _ => return Err(PathProblem(format!("`{shown}` has to be a path below the folder of prompts"))),
        }
    }
    let name = segments.join("/").replace("%2E", ".").replace("%20", " ");
    name.parse().map_err(|error| PathProblem(format!("`{shown}`: {error}")))
}

fn encode(segment: &str) -> String {
    let last = segment.chars().count().saturating_sub(1);
    let mut encoded = String::with_capacity(segment.len());
    for (index, c) in segment.chars().enumerate() {
        let troubles = matches!((c, index), ('.', 0)) || (index == last && matches!(c, '.' | ' '));
        if troubles {
            write!(encoded, "%{:02X}", u32::from(c)).expect("a string takes any text");
        } else {
            encoded.push(c);
        }
    }
    encoded
}
