//! What somebody may do at a place: view, edit, delete. Pure.

use crate::node_path::NodePath;
use serde::{Deserialize, Serialize};

/// One kind of right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Browse, look, download.
    View,
    /// Upload, make folders, rename.
    Edit,
    /// Delete.
    Delete,
}

impl Right {
    /// Its name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Edit => "edit",
            Self::Delete => "delete",
        }
    }
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rights {
    /// See [`Right::View`].
    pub view: bool,
    /// See [`Right::Edit`].
    pub edit: bool,
    /// See [`Right::Delete`].
    pub delete: bool,
}

impl Rights {
    /// Every right.
    pub const ALL: Self = Self { view: true, edit: true, delete: true };
    /// None.
    pub const NONE: Self = Self { view: false, edit: false, delete: false };

    /// Whether `right` is among them.
    #[must_use]
    pub fn has(self, right: Right) -> bool {
        match right {
            Right::View => self.view,
            Right::Edit => self.edit,
            Right::Delete => self.delete,
        }
    }

    /// Those that both have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { view: self.view && other.view, edit: self.edit && other.edit, delete: self.delete && other.delete }
    }

    /// Those that either has.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { view: self.view || other.view, edit: self.edit || other.edit, delete: self.delete || other.delete }
    }

    /// The names of those it has.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [Right::View, Right::Edit, Right::Delete].into_iter().filter(move |right| self.has(*right)).map(Right::name)
    }
}

/// Rights over a whole root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The same everywhere.
    Everywhere(Rights),
    /// Only at and below the places named, and never more than `most`. Rights of several places add up.
    Granted {
        /// Ceiling.
        most: Rights,
        /// Place and rights there.
        grants: Vec<(NodePath, Rights)>,
    },
}

impl Policy {
    /// The rights at `path`.
    #[must_use]
    pub fn at(&self, path: &NodePath) -> Rights {
        match self {
            Self::Everywhere(rights) => *rights,
            Self::Granted { most, grants } => {
                let here = grants.iter().filter(|(place, _)| path.is_within(place));
                here.fold(Rights::NONE, |sum, (_, rights)| sum.or(*rights)).and(*most)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn grants_add_up_below_their_places_and_end_at_the_ceiling() {
        let place = |text: &str| NodePath::parse(text).unwrap();
        let view = Rights { view: true, ..Rights::NONE };
        let edit = Rights { edit: true, delete: true, ..Rights::NONE };
        let most = Rights { delete: false, ..Rights::ALL };
        let policy = Policy::Granted { most, grants: vec![(place("a"), view), (place("a/b"), edit)] };
        assert_eq!(policy.at(&place("")), Rights::NONE);
        assert_eq!(policy.at(&place("ab")), Rights::NONE);
        assert_eq!(policy.at(&place("a/x")), view);
        assert_eq!(policy.at(&place("a/b/c")), Rights { view: true, edit: true, delete: false });
        assert_eq!(Rights::ALL.names().collect::<Vec<_>>(), ["view", "edit", "delete"]);
    }
}
