//! The variables of a template: which there are, and what one call sent for them.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::fit::{fits, names_messages};
use super::{RenderError, TemplateVariable};
use crate::content::{Variable, VariableKind, Variables};

/// Every variable a template declares, inserts or fills a placeholder with; declared ones first.
#[derive(Debug, Default)]
pub(super) struct Slots {
    by_name: IndexMap<Arc<str>, Slot>,
}

/// One variable.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// What it takes; anything when not declared.
    pub(super) kind: Option<VariableKind>,
    /// Whether a call without it is refused.
    pub(super) required: bool,
    /// Whether the author declared it.
    pub(super) declared: bool,
    /// Whether a plain or fstring text inserts it.
    pub(super) inserted: bool,
    /// Whether a jinja text uses it.
    pub(super) paged: bool,
    placeholder: bool,
    default: Option<Value>,
}

/// What one call sent, or the defaults, in the order of the slots.
pub(super) type Sent<'a> = Vec<Option<&'a Value>>;

impl Slots {
    /// Starts from what the author declared.
    pub(super) fn declared(variables: &IndexMap<String, Variable>) -> Self {
        let slot = |variable: &Variable| Slot {
            kind: variable.kind,
            required: variable.is_required(),
            declared: true,
            default: variable.default.clone(),
            ..Slot::default()
        };
        Self {
            by_name: variables
                .iter()
                .map(|(name, variable)| (Arc::from(name.as_str()), slot(variable)))
                .collect(),
        }
    }

    /// Takes in a variable that a snippet declares, unless it is declared already: what stands outside wins. Says what
    /// type it has there, if that is another.
    pub(super) fn adopt(&mut self, name: &str, variable: &Variable) -> Option<&'static str> {
        let (_, slot) = self.find_or_add(name);
        if !slot.declared {
            slot.kind = variable.kind;
            slot.required = variable.is_required();
            slot.default.clone_from(&variable.default);
            slot.declared = true;
            return None;
        }
        let (here, there) = (slot.kind?, variable.kind?);
        (here != there).then(|| here.as_str())
    }

    /// The slot of a variable that a jinja text uses; one that nobody declared is `required`, or not, as told.
    pub(super) fn page(&mut self, name: &str, required: bool) {
        let (_, slot) = self.find_or_add(name);
        slot.paged = true;
        slot.required |= required && !slot.declared;
    }

    /// The slot of a variable that a text inserts; one that nobody declared is `required`, or not, as told.
    pub(super) fn insert(&mut self, name: &str, required: bool) -> usize {
        let (index, slot) = self.find_or_add(name);
        slot.inserted = true;
        slot.required |= required && !slot.declared;
        index
    }

    /// The slot of a variable that may fill the placeholder of its name. The caller's own messages fill placeholders
    /// too, so such a variable is required only if `stated`, and only where no text inserts it as well.
    pub(super) fn place(&mut self, name: &str, stated: bool) -> usize {
        let (index, slot) = self.find_or_add(name);
        slot.placeholder = true;
        if slot.declared && !stated && slot.kind == Some(VariableKind::Messages) {
            slot.required = false;
        }
        index
    }

    fn find_or_add(&mut self, name: &str) -> (usize, &mut Slot) {
        let index = match self.by_name.get_index_of(name) {
            Some(index) => index,
            None => self.by_name.insert_full(name.into(), Slot::default()).0,
        };
        (index, &mut self.by_name[index])
    }

    /// The position of a variable.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get_index_of(name)
    }

    /// All variables in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Slot)> {
        self.by_name.iter()
    }

    /// The variable at a position.
    pub(super) fn at(&self, index: usize) -> (&str, &Slot) {
        let (name, slot) = self.by_name.get_index(index).expect("slots are never removed");
        (name, slot)
    }

    /// The variables for people to read; what nobody declared takes messages if it only fills a placeholder, else
    /// what texts take: jinja takes anything.
    pub(super) fn describe(&self) -> Vec<TemplateVariable> {
        let describe = |(name, slot): (&Arc<str>, &Slot)| {
            let assumed = match (slot.inserted, slot.paged) {
                (_, true) => None,
                (true, false) => Some(VariableKind::String),
                (false, false) => Some(VariableKind::Messages),
            };
            TemplateVariable {
                name: name.to_string(),
                kind: if slot.declared { slot.kind } else { assumed },
                required: slot.required,
                declared: slot.declared,
            }
        };
        self.by_name.iter().map(describe).collect()
    }

    /// Judges what a call sent: all that is missing first, then the first value that does not fit.
    pub(super) fn judge<'a>(&'a self, variables: &'a Variables) -> Result<Sent<'a>, RenderError> {
        let mut sent = Sent::with_capacity(self.by_name.len());
        let mut missing = Vec::new();
        let mut misfit = None;
        for (name, slot) in &self.by_name {
            let value = variables.get(&**name);
            if value.is_none() && slot.default.is_none() && slot.required {
                missing.push(name.to_string());
            }
            if let Some(reason) = value.and_then(|value| slot.refuse(value)) {
                misfit.get_or_insert_with(|| RenderError::Invalid { name: name.to_string(), reason });
            }
            sent.push(value.or(slot.default.as_ref()));
        }
        match misfit {
            _ if !missing.is_empty() => Err(RenderError::Missing(missing)),
            Some(misfit) => Err(misfit),
            None => Ok(sent),
        }
    }

    /// The variables of a call that this template has no use for.
    pub(super) fn unknown(&self, variables: &Variables) -> Vec<String> {
        variables.keys().filter(|name| !self.by_name.contains_key(name.as_str())).cloned().collect()
    }
}

impl Slot {
    fn refuse(&self, value: &Value) -> Option<String> {
        match self.kind {
            Some(_) if value.is_null() && !self.required => None,
            Some(kind) => fits(kind, value).err(),
            None if self.placeholder && !self.inserted && !self.paged && !value.is_null() => {
                fits(VariableKind::Messages, value).err()
            }
            None => None,
        }
    }

    /// Whether this value goes to the placeholder of the variable's name.
    pub(super) fn fills(&self, value: &Value) -> bool {
        self.placeholder && names_messages(value)
    }
}
