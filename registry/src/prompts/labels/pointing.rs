//! Where a prompt's labels point, in as little room as it takes: a hundred thousand prompts have one or two each.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use vocab::LabelName;

/// Which version each label points at, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Box<[(LabelName, u32)]>);

impl Labels {
    /// The version a label points at.
    pub fn get<Q: Ord + ?Sized>(&self, label: &Q) -> Option<&u32>
    where
        LabelName: Borrow<Q>,
    {
        self.get_key_value(label).map(|(_, version)| version)
    }

    /// The same, with the label.
    pub fn get_key_value<Q: Ord + ?Sized>(&self, label: &Q) -> Option<(&LabelName, &u32)>
    where
        LabelName: Borrow<Q>,
    {
        let place = self.0.binary_search_by(|(name, _)| name.borrow().cmp(label)).ok()?;
        self.0.get(place).map(|(name, version)| (name, version))
    }

    /// Whether there is such a label.
    pub fn contains_key<Q: Ord + ?Sized>(&self, label: &Q) -> bool
    where
        LabelName: Borrow<Q>,
    {
        self.get(label).is_some()
    }

    /// All labels with their versions, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&LabelName, &u32)> {
        self.0.iter().map(|(name, version)| (name, version))
    }

    /// All labels, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &LabelName> {
        self.iter().map(|(name, _)| name)
    }

    /// The version of each label.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &u32> {
        self.iter().map(|(_, version)| version)
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Of two pairs of one label the later one counts.
impl FromIterator<(LabelName, u32)> for Labels {
    fn from_iter<T: IntoIterator<Item = (LabelName, u32)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect())
    }
}

impl IntoIterator for Labels {
    type Item = (LabelName, u32);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_found_by_its_name_and_all_come_in_order() {
        let pairs = [("staging", 3), ("dev", 4), ("staging", 2)];
        let labels: Labels =
            pairs.map(|(name, version)| (name.parse().unwrap(), version)).into_iter().collect();
        assert_eq!((labels.get("staging"), labels.get("prod")), (Some(&2), None));
        assert_eq!(labels.keys().map(LabelName::as_str).collect::<Vec<_>>(), ["dev", "staging"]);
        assert_eq!(serde_json::to_string(&labels).unwrap(), r#"{"dev":4,"staging":2}"#);
    }
}
