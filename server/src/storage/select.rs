//! Which objects of a folder, and in which order. Pure.

use super::{Kind, Stat};

/// By what a listing is sorted; names break ties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// Folders, then files, then the rest.
    #[default]
    Type,
    /// By name, bytes.
    Name,
    /// By size.
    Size,
    /// By modification time.
    Time,
}

/// An order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// The other way round.
    pub descending: bool,
}

impl Sort {
    /// Reads `type`, `path`, `name`, `size`, `mtime`; with `-` before or `_d` behind it descending, with `_a` ascending.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (text, minus) = text.strip_prefix('-').map_or((text, false), |text| (text, true));
        let (text, down) = match (text.strip_suffix("_d"), text.strip_suffix("_a")) {
            (Some(text), _) => (text, true),
            (_, Some(text)) => (text, false),
            _ => (text, false),
        };
        let by = match text {
            "" | "type" => SortBy::Type,
            "path" | "name" | "basename" => SortBy::Name,
            "size" => SortBy::Size,
            "mtime" | "modified_time" => SortBy::Time,
            _ => return None,
        };
        Some(Self { by, descending: minus != down })
    }

    /// Whether the order needs more than kind and name.
    #[must_use]
    pub fn needs_stat(self) -> bool {
        matches!(self.by, SortBy::Size | SortBy::Time)
    }
}

/// Order of kinds.
pub(super) fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Folder => 0,
        Kind::File => 1,
        Kind::Link => 2,
        Kind::Special => 3,
    }
}

/// Which objects; every condition that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Names with `*` and `?`, any of them. Empty: all names.
    pub names: Vec<String>,
    /// Kinds, any of them. Empty: all.
    pub kinds: Vec<Kind>,
    /// Bytes, at least.
    pub size_min: Option<u64>,
    /// Bytes, at most.
    pub size_max: Option<u64>,
    /// Nanoseconds since the Unix epoch, at least.
    pub mtime_min_ns: Option<i64>,
    /// Nanoseconds since the Unix epoch, at most.
    pub mtime_max_ns: Option<i64>,
}

impl Filter {
    /// Whether anything but name and kind is asked.
    #[must_use]
    pub fn needs_stat(&self) -> bool {
        self.size_min.is_some() || self.size_max.is_some() || self.mtime_min_ns.is_some() || self.mtime_max_ns.is_some()
    }

    /// Whether a name fits.
    #[must_use]
    pub fn name_fits(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|pattern| glob(pattern, name))
    }

    /// Whether a kind fits.
    #[must_use]
    pub fn kind_fits(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    /// Whether the rest fits. Sizes are those of files; a folder has none and fits no size.
    #[must_use]
    pub fn stat_fits(&self, stat: &Stat) -> bool {
        let sized = self.size_min.is_some() || self.size_max.is_some();
        (!sized || stat.kind == Kind::File)
            && self.size_min.is_none_or(|least| stat.size >= least)
            && self.size_max.is_none_or(|most| stat.size <= most)
            && self.mtime_min_ns.is_none_or(|least| stat.mtime_ns >= least)
            && self.mtime_max_ns.is_none_or(|most| stat.mtime_ns <= most)
    }
}

/// `*` stands for any text, `?` for one character. Takes at most the product of both lengths, whatever the pattern.
fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while let Some(c) = name.get(n) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(want) if *want == '?' || want == c => (p, n) = (p + 1, n + 1),
            // Back to the last star, which takes one character more.
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, n) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell_and_in_bounded_time() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("*.txt", "a.txt", true),
            ("*.txt", "a.txt2", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*c*", "xxaxxbxxc", true),
            ("ü*", "über", true),
            ("", "a", false),
        ] {
            assert_eq!(glob(pattern, name), fits, "{pattern} {name}");
        }
        let begin = std::time::Instant::now();
        assert!(!glob(&"*a".repeat(120), &"a".repeat(119)));
        assert!(!glob(&format!("{}b", "*a".repeat(100)), &"a".repeat(255)));
        assert!(begin.elapsed() < std::time::Duration::from_secs(5));
    }

    #[test]
    fn orders_are_read_in_all_their_spellings() {
        let sort = |by, descending| Some(Sort { by, descending });
        for (text, expected) in [
            ("", sort(SortBy::Type, false)),
            ("type", sort(SortBy::Type, false)),
            ("-size", sort(SortBy::Size, true)),
            ("size_d", sort(SortBy::Size, true)),
            ("mtime_a", sort(SortBy::Time, false)),
            ("path", sort(SortBy::Name, false)),
            ("colour", None),
        ] {
            assert_eq!(Sort::parse(text), expected, "{text}");
        }
    }
}
