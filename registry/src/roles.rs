//! Who may do what: four roles and a few permissions. What a label takes besides is in [`crate::policies`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vocab::Id;
use vocab::id::Token;

use crate::StoreError;
use crate::tokens::TokenScope;

/// What a token or a person may do, least first; each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Writes prompts, unprotected labels and alerts; scores calls, saves views.
    Editor,
    /// Moves protected labels, approves and carries out releases, runs experiments, rolls back.
    Releaser,
    /// Issues keys and tokens, sets policies of labels, says where events are sent, deletes records.
    Admin,
}

/// One kind of thing that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Look at anything but secrets.
    Read,
    /// Create, change and archive prompts, publish versions, move unprotected labels.
    WritePrompts,
    /// Score calls, save views.
    Annotate,
    /// Move protected labels, approve and carry out releases, run experiments, roll back.
    Release,
    /// Say what has to be so before a version answers a label.
    WritePolicies,
    /// Delete records, mend the outbox.
    Operate,
    /// Make, change, mute and delete alert rules.
    WriteAlerts,
    /// Say where events are sent.
    WriteWebhooks,
    /// Issue, change and revoke keys and tokens.
    Administer,
}

impl Role {
    /// Every role, least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Editor, Self::Releaser, Self::Admin];

    /// Whether this role has a permission.
    pub fn may(self, permission: Permission) -> bool {
        self >= permission.least_role()
    }

    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Releaser => "releaser",
            Self::Admin => "admin",
        }
    }
}

impl Permission {
    /// The least role that has it.
    pub const fn least_role(self) -> Role {
        match self {
            Self::Read => Role::Viewer,
            // An alert watches and tells; where it may tell is for admins to say.
            Self::WritePrompts | Self::Annotate | Self::WriteAlerts => Role::Editor,
            Self::Release => Role::Releaser,
            Self::WritePolicies | Self::WriteWebhooks | Self::Operate | Self::Administer => Role::Admin,
        }
    }

    /// What it allows, as the end of a sentence.
    const fn deed(self) -> &'static str {
        match self {
            Self::Read => "read this",
            Self::WritePrompts => "change prompts",
            Self::Annotate => "give scores or save views",
            Self::Release => "release or roll back",
            Self::WritePolicies => "set policies of labels",
            Self::Operate => "delete records or mend the outbox",
            Self::WriteAlerts => "change alerts",
            Self::WriteWebhooks => "change webhooks",
            Self::Administer => "manage keys and tokens",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(NotARole)
    }
}

/// A text that is none of the roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of viewer, editor, releaser, admin")]
pub struct NotARole;

/// Who asks: the role decides what is allowed, the owner is who it is put down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// What they may do.
    pub role: Role,
    /// The person or program behind the token.
    pub owner: Arc<str>,
    /// The token; `None` for what the gateway does by itself.
    pub token: Option<Id<Token>>,
    /// The one project they are held to; all when absent.
    pub project: Option<Arc<str>>,
    /// What they are held to in it; everything when absent.
    pub scope: Option<Arc<TokenScope>>,
}

impl Who {
    /// Someone of this role, without a token and held to nothing.
    pub fn new(role: Role, owner: impl Into<Arc<str>>) -> Self {
        Self { role, owner: owner.into(), token: None, project: None, scope: None }
    }

    /// Refuses unless the role has the permission.
    pub fn require(&self, permission: Permission) -> Result<(), StoreError> {
        if self.role.may(permission) {
            return Ok(());
        }
        let (role, deed, least) = (self.role, permission.deed(), permission.least_role());
        Err(StoreError::Forbidden(format!(
            "a token with role {role} may not {deed}: use one with role {least} or higher"
        )))
    }

    /// Refuses to change a prompt outside the folders they are held to.
    pub(crate) fn may_change(&self, prompt: &str) -> Result<(), StoreError> {
        let Some(scope) = self.scope.as_deref().filter(|scope| !scope.allows_prompt(prompt)) else {
            return Ok(());
        };
        let folders = named(scope.folders.as_deref());
        Err(StoreError::Forbidden(format!(
            "this token changes prompts in {folders} only, and `{}` is not there: use another",
            prompt.escape_debug()
        )))
    }

    /// Refuses to move a label they are not held to.
    pub fn may_label(&self, label: &str) -> Result<(), StoreError> {
        let Some(scope) = self.scope.as_deref().filter(|scope| !scope.allows_label(label)) else {
            return Ok(());
        };
        let labels = named(scope.labels.as_deref());
        Err(StoreError::Forbidden(format!("this token moves {labels} only, and not `{label}`: use another")))
    }

    /// Refuses what is not in the project they are held to.
    pub(crate) fn reach(&self, project: &str) -> Result<(), StoreError> {
        match self.project.as_deref() {
            Some(own) if own != project => Err(StoreError::Forbidden(format!(
                "this token is held to the project `{own}`: use one that is not, or one of the other project"
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

/// Names in a sentence.
fn named(names: Option<&[String]>) -> String {
    let names =
        names.unwrap_or_default().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.is_empty() { "nothing".to_owned() } else { names }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_the_ones_before_it_may() {
        let reach = |role: Role| {
            use Permission::{Administer, Annotate, Operate, Read, Release, WritePrompts};
            [Read, WritePrompts, Annotate, Release, Operate, Administer]
                .map(|permission| role.may(permission))
        };
        assert_eq!(reach(Role::Viewer), [true, false, false, false, false, false]);
        assert_eq!(reach(Role::Editor), [true, true, true, false, false, false]);
        assert_eq!(reach(Role::Releaser), [true, true, true, true, false, false]);
        assert_eq!(reach(Role::Admin), [true; 6]);
    }

    #[test]
    fn a_role_survives_its_word() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>(), Err(NotARole));
    }
}
