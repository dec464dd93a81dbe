//! Listing a folder, and searching a tree, with bounded memory and time.

use super::beneath::{self, Named};
use super::select::rank;
use super::{Item, Kind, Listing, Page, SortBy, Stat, StorageError};
use crate::node_path::NodePath;
use godwit_transport::root::Root;
use std::cmp::Ordering;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// A search ends after so long and says that it is not complete.
const MAX_SEARCH: Duration = Duration::from_secs(10);
/// Depth to which a search goes; deeper paths have no name for clients.
const MAX_DEPTH: usize = godwit_protocol::path::MAX_DEPTH;

struct Candidate {
    named: Named,
    kind: Kind,
    stat: Option<Stat>,
}

/// Candidates that are kept at least, before those behind the page are thrown away.
pub(super) const FEW: usize = 4_096;

/// Part of a folder. Only what the order needs of all objects is asked of the disk; the rest only for the part shown. Of a
/// large folder no more than the names up to the end of that part are kept, and as many again.
pub(super) fn list(root: &Root, at: &NodePath, page: &Page) -> Result<Listing, StorageError> {
    let folder = beneath::folder(root, at)?;
    let (mut found, total) = candidates(&folder, page).map_err(|e| beneath::error(at, e))?;
    found.sort_unstable_by(|a, b| order(page, a, b));
    let mut items = Vec::new();
    for Candidate { named, stat, .. } in found.into_iter().skip(page.skip).take(page.count) {
        // Gone meanwhile: it is left out, as if it had gone before.
        let Some(stat) = stat.or_else(|| beneath::stat(&folder, &named.raw).ok()) else { continue };
        let Ok(path) = at.child(named.path.as_str()) else { continue };
        items.push(Item { path, stat });
    }
    Ok(Listing { items, total, incomplete: false })
}

/// Those that fit up to the end of the page, in no order and perhaps with some behind it; and how many fit in all.
fn candidates(folder: &OwnedFd, page: &Page) -> std::io::Result<(Vec<Candidate>, usize)> {
    let filter = &page.filter;
    let needs_stat = page.sort.needs_stat() || filter.needs_stat();
    let wanted = page.skip.saturating_add(page.count);
    let most = wanted.saturating_mul(2).max(FEW);
    let (mut found, mut total) = (Vec::new(), 0);
    beneath::each_name(folder, |named| {
        if !filter.name_fits(named.path.as_str()) || named.kind.is_some_and(|kind| !filter.kind_fits(kind)) {
            return;
        }
        let stat = if needs_stat || named.kind.is_none() { beneath::stat(folder, &named.raw).ok() } else { None };
        let Some(kind) = stat.map(|s| s.kind).or(named.kind) else { return };
        if filter.kind_fits(kind) && stat.is_none_or(|stat| filter.stat_fits(&stat)) {
            total += 1;
            found.push(Candidate { named, kind, stat });
        }
        if found.len() > most {
            found.select_nth_unstable_by(wanted, |a, b| order(page, a, b));
            found.truncate(wanted);
        }
    })?;
    Ok((found, total))
}

fn order(page: &Page, a: &Candidate, b: &Candidate) -> Ordering {
    let key = |c: &Candidate| c.stat.map_or((0, 0), |s| (s.size, s.mtime_ns));
    let by_name = || a.named.path.as_str().cmp(b.named.path.as_str());
    let first = match page.sort.by {
        SortBy::Type => rank(a.kind).cmp(&rank(b.kind)),
        SortBy::Name => by_name(),
        SortBy::Size => key(a).0.cmp(&key(b).0),
        SortBy::Time => key(a).1.cmp(&key(b).1),
    };
    let first = if page.sort.descending { first.reverse() } else { first };
    // Two names may be the same text in different Unicode forms: no page shows one of them twice.
    first.then_with(by_name).then_with(|| a.named.raw.cmp(&b.named.raw))
}

/// What fits below a folder, folder by folder in the order of names. Only the part asked for is kept.
pub(super) fn find(root: &Root, at: &NodePath, page: &Page) -> Result<Listing, StorageError> {
    let mut search = Search { page, until: Instant::now() + MAX_SEARCH, found: Listing::default() };
    search.folder(&*beneath::folder(root, at)?, at, 0);
    Ok(search.found)
}

struct Search<'a> {
    page: &'a Page,
    until: Instant,
    found: Listing,
}

impl Search<'_> {
    fn folder(&mut self, folder: &OwnedFd, at: &NodePath, depth: usize) {
        // A folder that cannot be read is as one that is not there: others may still be found.
        let Ok(mut names) = beneath::names(folder) else { return };
        names.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        for named in names {
            if Instant::now() > self.until {
                self.found.incomplete = true;
                return;
            }
            let Ok(path) = at.child(named.path.as_str()) else { continue };
            self.look(folder, &named, &path);
            if named.kind.is_none_or(|kind| kind == Kind::Folder)
                && depth < MAX_DEPTH
                && let Ok(inner) = beneath::open(folder, &named.raw, rustix::fs::OFlags::DIRECTORY)
            {
                self.folder(&inner, &path, depth + 1);
            }
        }
    }

    fn look(&mut self, folder: &OwnedFd, named: &Named, path: &NodePath) {
        let filter = &self.page.filter;
        if !filter.name_fits(path.name()) || named.kind.is_some_and(|kind| !filter.kind_fits(kind)) {
            return;
        }
        let shown = self.found.total >= self.page.skip && self.found.items.len() < self.page.count;
        if !shown && !filter.needs_stat() && named.kind.is_some() {
            self.found.total += 1;
            return;
        }
        let Ok(stat) = beneath::stat(folder, &named.raw) else { return };
        if filter.kind_fits(stat.kind) && filter.stat_fits(&stat) {
            self.found.total += 1;
            if shown {
                self.found.items.push(Item { path: path.clone(), stat });
            }
        }
    }
}
