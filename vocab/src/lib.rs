//! The words every other crate uses: ids, names, money, token counts, secrets, time and pages.
//!
//! Nothing here does more than parse, print, compare and add. No I/O, no tasks, no SQL, no HTTP.

pub mod clock;
pub mod id;
pub mod money;
pub mod name;
pub mod page;
pub mod secret;
pub mod semver;
pub mod usage;

pub use clock::{Clock, Time};
pub use id::Id;
pub use money::NanoUsd;
pub use name::{LabelName, NameError, PromptName, PromptRef, Selector};
pub use page::{Limit, Page};
pub use secret::Secret;
pub use semver::{Impact, SemVer};
pub use usage::{Usage, UsageSource};
