//! Views: read by `StateCall`, free, and nothing is sent.

use bauta_abi::*;
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use num_traits::Zero;

use super::{Actor, ActorError, Rejection};
use crate::message::draft;
use crate::node::json::TipsetKey;
use crate::node::{NodeError, words};

/// Who asks: the account that burnt funds go to is on every network, and views do not look at the caller.
const READER: Address = Address::new_id(99);

impl Actor {
    /// The key that an address has published.
    pub async fn key(&self, address: &Address) -> Result<Option<Key>, ActorError> {
        self.view(Method::GetKey, &GetKeyParams { address: *address }).await
    }

    /// A file.
    pub async fn file(&self, id: FileId) -> Result<Option<FileRecord>, ActorError> {
        self.view(Method::GetFile, &GetFileParams { id }).await
    }

    /// All files of an owner, newest first.
    pub async fn files_of(&self, owner: &Address) -> Result<Vec<(FileId, FileRecord)>, ActorError> {
        let mut pages = Pages::default();
        while let Some(cursor) = pages.next() {
            let params = ListFilesParams { owner: *owner, cursor, limit: MAX_LIST };
            let page: ListFilesReturn = self.view(Method::ListFiles, &params).await?;
            pages.add(page.files, page.cursor);
        }
        Ok(pages.all)
    }

    /// What a file's grant to an address is.
    pub async fn grant(&self, id: FileId, address: &Address) -> Result<Option<Grant>, ActorError> {
        self.view(Method::GetGrant, &GetGrantParams { id, address: *address }).await
    }

    /// All grants of a file.
    pub async fn grants(&self, id: FileId) -> Result<Vec<(fvm_shared::ActorID, Grant)>, ActorError> {
        let mut pages = Pages::default();
        while let Some(cursor) = pages.next() {
            let page: ListGrantsReturn =
                self.view(Method::ListGrants, &ListGrantsParams { id, cursor, limit: MAX_LIST }).await?;
            pages.add(page.grants, page.cursor);
        }
        Ok(pages.all)
    }

    /// All that has been opened to an address.
    pub async fn shared_with(&self, address: &Address) -> Result<Vec<(FileId, Grant)>, ActorError> {
        let mut pages = Pages::default();
        while let Some(cursor) = pages.next() {
            let params = ListSharedParams { address: *address, cursor, limit: MAX_LIST };
            let page: ListSharedReturn = self.view(Method::ListShared, &params).await?;
            pages.add(page.grants, page.cursor);
        }
        Ok(pages.all)
    }

    /// A bounty.
    pub async fn bounty(&self, id: BountyId) -> Result<Option<BountyRecord>, ActorError> {
        self.view(Method::GetBounty, &GetBountyParams { id }).await
    }

    /// All bounties, oldest first.
    pub async fn bounties(&self) -> Result<Vec<(BountyId, BountyRecord)>, ActorError> {
        let mut pages = Pages::default();
        while let Some(cursor) = pages.next() {
            let page: ListBountiesReturn =
                self.view(Method::ListBounties, &ListBountiesParams { cursor, limit: MAX_LIST }).await?;
            pages.add(page.bounties, page.cursor);
        }
        Ok(pages.all)
    }

    /// All claims of a bounty, oldest first.
    pub async fn claims(&self, id: BountyId) -> Result<Vec<(ClaimId, BountyClaim)>, ActorError> {
        let mut pages = Pages::default();
        while let Some(cursor) = pages.next() {
            let params = ListBountyClaimsParams { id, cursor, limit: MAX_LIST };
            let page: ListBountyClaimsReturn = self.view(Method::ListBountyClaims, &params).await?;
            pages.add(page.claims, page.cursor);
        }
        Ok(pages.all)
    }

    async fn view<P: Wire, R: Wire>(&self, method: Method, params: &P) -> Result<R, ActorError> {
        let params = encode(params).map_err(|why| ActorError::Params { method, why })?;
        let returned = self.read(&self.address, method.number(), method.name(), params).await?;
        decode(&returned).map_err(|why| ActorError::Answer { method, why })
    }

    /// Reads any actor by `StateCall`: what a method would return now.
    ///
    /// Errors: the node; the called actor's exit code.
    pub(crate) async fn read(
        &self,
        to: &Address,
        number: u64,
        name: &str,
        params: Vec<u8>,
    ) -> Result<Vec<u8>, ActorError> {
        let message = draft(READER, *to, TokenAmount::zero(), number, RawBytes::new(params));
        let answer = self.node.state_call(&message, &TipsetKey::HEAD).await?;
        let missing = || NodeError::Malformed(format!("StateCall of {name} has no receipt: {}", answer.error));
        let receipt = answer.msg_rct.as_ref().ok_or_else(missing)?;
        if receipt.exit_code != 0 {
            return Err(Rejection {
                method: name.into(),
                code: receipt.exit_code,
                message: words(&answer.error).to_owned(),
                executed: None,
            }
            .into());
        }
        Ok(receipt.return_data.clone())
    }
}

/// Walks a listing to its end. A cursor that comes twice ends it, so that a node that lies cannot make us ask for ever.
struct Pages<T> {
    all: Vec<T>,
    next: Option<Option<u64>>,
    seen: std::collections::BTreeSet<u64>,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { all: Vec::new(), next: Some(None), seen: Default::default() }
    }
}

impl<T> Pages<T> {
    fn next(&mut self) -> Option<Option<u64>> {
        self.next.take()
    }

    fn add(&mut self, page: Vec<T>, cursor: Option<u64>) {
        let empty = page.is_empty();
        self.all.extend(page);
        self.next = cursor.filter(|cursor| !empty && self.seen.insert(*cursor)).map(Some);
    }
}
