//! Who exists: the users of the configuration file and the command line, those made by command, and access keys. Turns a
//! name into a [`Principal`]: somebody with a root, rights and limits.
//!
//! It checks no proof; that is [`access`](crate::access)'s.

use crate::catalogue::{AccessKey, Catalogue, CatalogueError, Permission};
use crate::config::{Settings, User, UserRoot};
use crate::node_path::NodePath;
use crate::password::{Hash, PasswordError};
use crate::quota::Ledgers;
use crate::rights::{Policy, Rights};
use crate::storage::{Guarded, Local, Storage};
use godwit_protocol::{RateKbps, Secret};
use godwit_transport::rules::Rules;
use std::sync::{Arc, PoisonError, RwLock};

/// The tree of the main docroot in the catalogue.
const MAIN_TREE: &str = "main";

/// Somebody who may come in, seen apart from how.
#[derive(Clone)]
pub struct Principal {
    /// User or access key.
    pub name: String,
    /// The user whose limits hold; the same as `name` for a user.
    pub owner: String,
    /// Present for an access key.
    pub key: Option<Arc<AccessKey>>,
    /// Which tree of files the root lies in, for the catalogue.
    pub tree: String,
    /// All that can be reached.
    pub files: Guarded,
    /// For sessions in which the other side sends.
    pub upload: Rules,
    /// For sessions in which the other side receives.
    pub download: Rules,
    /// All sessions of the owner together, in each direction.
    pub rate_cap: Option<RateKbps>,
    /// Sessions of the owner at once.
    pub max_sessions: Option<usize>,
}

/// A principal, and what proves to be it.
pub struct Known {
    /// Who.
    pub principal: Principal,
    /// Absent: no password opens it.
    pub password: Option<Hash>,
}

/// What can be exchanged while the server runs.
struct Live {
    settings: Arc<Settings>,
    decoy: Hash,
}

/// Everybody. Calls that look into the catalogue block.
pub struct Directory {
    live: RwLock<Arc<Live>>,
    catalogue: Arc<dyn Catalogue>,
    ledgers: Ledgers,
}

impl Directory {
    /// Hashes once: not for async threads.
    pub fn new(settings: Arc<Settings>, catalogue: Arc<dyn Catalogue>) -> Result<Self, PasswordError> {
        Ok(Self { live: RwLock::new(Arc::new(Live::new(settings)?)), catalogue, ledgers: Ledgers::default() })
    }

    /// Other users and limits from now on; sessions that run keep theirs. Hashes once: not for async threads.
    pub fn reload(&self, settings: Arc<Settings>) -> Result<(), PasswordError> {
        let live = Arc::new(Live::new(settings)?);
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live;
        Ok(())
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.live().settings.clone()
    }

    /// A hash that nothing fits and that costs as much as the costliest in the configuration: for names that do not exist.
    #[must_use]
    pub fn decoy(&self) -> Hash {
        self.live().decoy.clone()
    }

    /// The catalogue.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<dyn Catalogue> {
        &self.catalogue
    }

    /// Somebody of the configuration file or the command line: without a look into the catalogue.
    #[must_use]
    pub fn configured(&self, name: &str) -> Option<Known> {
        let live = self.live();
        let user = live.settings.users.get(name)?;
        Some(Known { principal: principal(&live.settings, name, user, &self.ledgers), password: user.password.clone() })
    }

    /// Looks a name up: the configuration's users first, then those made by command, then keys.
    pub fn find(&self, name: &str) -> Result<Option<Known>, CatalogueError> {
        let live = self.live();
        if let Some(user) = self.user(&live, name)? {
            let password = user.password.clone();
            return Ok(Some(Known { principal: principal(&live.settings, name, &user, &self.ledgers), password }));
        }
        let Some(key) = self.catalogue.key(name)? else { return Ok(None) };
        self.of_key(&live, key)
    }

    /// Whether a user of this name exists.
    pub fn is_user(&self, name: &str) -> Result<bool, CatalogueError> {
        Ok(self.user(&self.live(), name)?.is_some())
    }

    /// Whether the user stands in the configuration file or on the command line: no command can change him.
    #[must_use]
    pub fn is_configured(&self, name: &str) -> bool {
        self.live().settings.users.contains_key(name)
    }

    /// An access key for somebody whom a web application vouches for: rights by the key's permissions only.
    pub fn limited(&self, known: Principal, user: &str, groups: &[String]) -> Result<Principal, CatalogueError> {
        let most = known.files.rights(&NodePath::ROOT);
        let mut grants = Vec::new();
        for permission in self.catalogue.permissions(&known.name)? {
            let fits = match permission.access_type.as_str() {
                "user" => permission.access_id == user,
                "group" => groups.contains(&permission.access_id),
                _ => false,
            };
            if !fits {
                continue;
            }
            let Some(placed) = self.catalogue.place(permission.file)? else { continue };
            let place = NodePath::parse(&placed.path).ok().and_then(|path| path.below(known.files.base()));
            if let Some(place) = place.filter(|_| placed.tree == known.tree) {
                grants.push((place, rights(&permission)));
            }
        }
        let files = known.files.limited(Policy::Granted { most, grants });
        Ok(Principal { files, ..known })
    }

    fn user(&self, live: &Live, name: &str) -> Result<Option<User>, CatalogueError> {
        if let Some(user) = live.settings.users.get(name) {
            return Ok(Some(user.clone()));
        }
        let Some(stored) = self.catalogue.user(name)? else { return Ok(None) };
        match live.settings.user_of(name, stored.config) {
            Ok(user) => Ok(Some(user)),
            Err(error) => {
                // Such as a docroot that is no folder any more.
                tracing::error!(user = ?name, %error, "a user of the catalogue cannot be used");
                Ok(None)
            }
        }
    }

    fn of_key(&self, live: &Live, key: AccessKey) -> Result<Option<Known>, CatalogueError> {
        let Some(owner) = self.user(live, &key.owner)? else { return Ok(None) };
        let owner_view = principal(&live.settings, &key.owner, &owner, &self.ledgers);
        let base = NodePath::parse(&key.path).and_then(|path| owner_view.files.base().join(&path));
        let (Ok(base), Ok(password)) = (base, Hash::parse(&key.secret_hash)) else {
            return Err(CatalogueError::Record(format!("access key {}", key.id)));
        };
        let rights = key.rights.and(owner.rights);
        let storage = storage(&live.settings, &owner.root);
        let mut quotas = owner_view.files.quotas().to_vec();
        if let Some(limit) = key.quota {
            let own = self.ledgers.quota(&owner_view.tree, base.as_str(), limit, storage.measure(&base));
            // Of two limits on one folder the smaller holds; counted twice, each byte would be two.
            let smaller = quotas.iter().any(|other| own.is_of_same_folder(other) && other.limit() <= own.limit());
            if !smaller {
                quotas.retain(|other| !own.is_of_same_folder(other));
                quotas.push(own);
            }
        }
        let protection = owner.content_protection.and(key.content_protection);
        let files = Guarded::new(storage, base, Policy::Everywhere(rights)).within(quotas).protected(protection);
        let principal = Principal { name: key.id.clone(), files, key: Some(Arc::new(key)), ..owner_view };
        Ok(Some(Known { principal, password: Some(password) }))
    }

    fn live(&self) -> Arc<Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Live {
    fn new(settings: Arc<Settings>) -> Result<Self, PasswordError> {
        let costliest = settings.users.values().filter_map(|u| u.password.as_ref()).max_by_key(|h| h.work());
        let decoy = match costliest {
            Some(hash) => hash.decoy()?,
            None => Hash::of(&Secret::new("nobody"))?.decoy()?,
        };
        Ok(Self { settings, decoy })
    }
}

fn storage(settings: &Settings, root: &UserRoot) -> Arc<dyn Storage> {
    let path = match root {
        UserRoot::Main | UserRoot::Below(_) => &settings.docroot,
        UserRoot::Absolute(path) => path,
    };
    Arc::new(Local::new(path.clone(), settings.fsync))
}

fn principal(settings: &Settings, name: &str, user: &User, ledgers: &Ledgers) -> Principal {
    let (tree, base) = match &user.root {
        UserRoot::Main => (MAIN_TREE.to_owned(), NodePath::ROOT),
        UserRoot::Below(folder) => (MAIN_TREE.to_owned(), NodePath::from(folder.clone())),
        UserRoot::Absolute(path) => (path.display().to_string(), NodePath::ROOT),
    };
    let storage = storage(settings, &user.root);
    let quota = user.quota.map(|limit| ledgers.quota(&tree, base.as_str(), limit, storage.measure(&base)));
    let files = Guarded::new(storage, base, Policy::Everywhere(user.rights));
    let files = files.within(quota.into_iter().collect()).protected(user.content_protection);
    Principal {
        name: name.to_owned(),
        owner: name.to_owned(),
        key: None,
        tree,
        files,
        upload: user.upload.clone(),
        download: user.download.clone(),
        rate_cap: user.rate_cap,
        max_sessions: user.max_sessions,
    }
}

/// Our three rights are coarser than the API's levels: each needs all the levels that it would give.
fn rights(permission: &Permission) -> Rights {
    let has = |level: &str| permission.levels.iter().any(|have| have == level);
    Rights {
        view: has("list") && has("read"),
        edit: has("write") && has("mkdir") && has("rename"),
        delete: has("delete"),
    }
}
