//! [`Catalogue`] on SQLite: which table does what, and over which of the two connections.

use super::records::*;
use super::sqlite::Sqlite;
use super::{Catalogue, Result, ids, keys, people, transfers};

impl Catalogue for Sqlite {
    fn user(&self, name: &str) -> Result<Option<StoredUser>> {
        people::user(&self.quick(), name)
    }
    fn users(&self) -> Result<Vec<StoredUser>> {
        people::users(&self.quick())
    }
    fn put_user(&self, user: &StoredUser, replace: bool) -> Result<()> {
        self.settled(|c| people::put_user(c, user, replace))
    }
    fn remove_user(&self, name: &str) -> Result<bool> {
        self.settled(|c| people::remove_user(c, name))
    }

    fn key(&self, id: &str) -> Result<Option<AccessKey>> {
        keys::key(&self.quick(), id)
    }
    fn keys(&self, owner: Option<&str>) -> Result<Vec<AccessKey>> {
        keys::keys(&self.quick(), owner)
    }
    fn put_key(&self, key: &AccessKey, replace: bool) -> Result<()> {
        self.settled(|c| keys::put_key(c, key, replace))
    }
    fn remove_key(&self, id: &str) -> Result<bool> {
        self.settled(|c| keys::remove_key(c, id))
    }

    fn put_token(&self, token: &TokenRecord) -> Result<()> {
        self.settled(|c| people::put_token(c, token))
    }
    fn tokens(&self, now: u64) -> Result<Vec<TokenRecord>> {
        people::tokens(&self.quick(), now)
    }
    fn revoke(&self, id: &str, until: u64) -> Result<()> {
        self.settled(|c| people::revoke(c, id, until))
    }
    fn is_revoked(&self, id: &str) -> Result<bool> {
        people::is_revoked(&self.quick(), id)
    }

    fn ids(&self, tree: &str, found: &[Found]) -> Result<Vec<FileId>> {
        ids::ids(&mut self.quick(), tree, found)
    }
    fn place(&self, id: FileId) -> Result<Option<Placed>> {
        ids::place(&self.quick(), id)
    }
    fn moved(&self, tree: &str, from: &str, to: &str) -> Result<()> {
        ids::moved(&mut self.quick(), tree, from, to)
    }
    fn removed(&self, tree: &str, path: &str) -> Result<()> {
        ids::removed(&mut self.quick(), tree, path)
    }

    fn put_permission(&self, permission: &Permission) -> Result<i64> {
        self.settled(|c| keys::put_permission(c, permission))
    }
    fn permission(&self, key: &str, id: i64) -> Result<Option<Permission>> {
        keys::permission(&self.quick(), key, id)
    }
    fn permissions(&self, key: &str) -> Result<Vec<Permission>> {
        keys::permissions(&self.quick(), key)
    }
    fn remove_permission(&self, key: &str, id: i64) -> Result<bool> {
        self.settled(|c| keys::remove_permission(c, key, id))
    }

    fn put_transfer(&self, transfer: &TransferRecord, durable: bool) -> Result<()> {
        let connection = if durable { self.durable() } else { self.quick() };
        transfers::put_transfer(&connection, transfer)
    }
    fn transfer(&self, owner: &str, id: &str) -> Result<Option<TransferRecord>> {
        transfers::transfer(&self.quick(), owner, id)
    }
    fn transfers(&self, query: &TransferQuery) -> Result<Vec<TransferRecord>> {
        transfers::transfers(&self.quick(), query)
    }
    fn close_transfers(&self, now_usec: i64, why: &str) -> Result<usize> {
        transfers::close_transfers(&mut self.durable(), now_usec, why)
    }

    fn add_event(&self, event: &Event) -> Result<()> {
        transfers::add_event(&self.quick(), event)
    }
    fn events(&self, owner: &str, after: i64, count: usize) -> Result<Vec<Event>> {
        transfers::events(&self.quick(), owner, after, count)
    }
}
