//! Care: where a piece is stored, until when, and whether it still comes back; and bringing it back to as many copies as are wished for.
//!
//! Survey (chain and providers) -> what is missing or ends soon -> new deals for the same piece
//!
//! Nothing here decrypts: whoever pays can look after anybody's piece.
//!
//! ```no_run
//! # async fn example(actor: bauta_client::actor::Actor, sender: bauta_client::sender::Sender, file: bauta_abi::FileRecord)
//! #     -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use bauta_client::care::{Care, Order};
//! use bauta_client::home::Home;
//! use bauta_client::{fetch, store};
//!
//! let home = Home::find()?;
//! let care = Care::new(&actor, sender.network(), &home).await?;
//! let piece = fetch::piece_of(&file.file);
//! let known = fetch::sources_on_chain(&actor, &piece.piece_cid).await?;
//! let survey = care.survey(&piece, Some(&file.file.payload_cid), file.registered, &known).await?;
//! for copy in &survey.copies {
//!     println!("{}: {}", copy.provider, copy.health(&survey));
//! }
//! let order = Order::repair(&survey, survey.wanted(), Duration::ZERO, &known, &[]);
//! let mended = care.mend(&sender, &survey, &order, Arc::new(store::Quiet)).await?;
//! println!("{} new copies", mended.made.len());
//! # Ok(())
//! # }
//! ```

mod book;
mod copy;
mod mend;
mod probe;
mod survey;

use std::path::PathBuf;

use cid::Cid;

use crate::actor::{Actor, ActorError};
use crate::fetch::FetchError;
use crate::home::{FileError, Home, Lock};
use crate::network::Network;
use crate::node::{NodeError, chain_name};
use crate::store::Outbox;

pub use book::{Book, Kept, KeptDeal};
pub use copy::{ClaimView, Copy, Health, SectorState, SectorView, Served};
pub use mend::{Mended, Order, Way};
pub use survey::Survey;

/// Why a piece was not looked after.
#[derive(Debug, thiserror::Error)]
pub enum CareError {
    /// Somebody else is at it.
    #[error("another bauta process is looking after this piece")]
    Busy,
    /// Nobody serves it: there is nothing to make a copy of.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Files of our own.
    #[error(transparent)]
    Home(#[from] FileError),
    /// The chain.
    #[error(transparent)]
    Actor(#[from] ActorError),
}

impl From<NodeError> for CareError {
    fn from(error: NodeError) -> Self {
        Self::Actor(error.into())
    }
}

/// Looks after pieces on one chain, for one home.
pub struct Care<'a> {
    actor: &'a Actor,
    network: &'a Network,
    home: &'a Home,
    outbox: Outbox,
    book: Book,
}

impl<'a> Care<'a> {
    /// Looks at a chain, and remembers in `home`.
    pub async fn new(actor: &'a Actor, network: &'a Network, home: &'a Home) -> Result<Self, CareError> {
        let chain = chain_name(&**actor.node(), network).await?;
        let outbox = Outbox::at(&home.journals(network.name()));
        Ok(Self { actor, network, home, outbox, book: Book::of(home, network, &chain) })
    }

    /// Keeps other processes from making deals for this piece while it is held.
    ///
    /// Errors: Busy.
    pub fn lock(&self, piece_cid: &Cid) -> Result<Lock, CareError> {
        match self.home.lock(&format!("journal/{}/kept/{piece_cid}", self.network.name())) {
            Err(FileError::Busy(_)) => Err(CareError::Busy),
            other => Ok(other?),
        }
    }

    /// What is remembered of a piece.
    pub fn kept(&self, piece_cid: &Cid) -> Result<Kept, CareError> {
        Ok(self.book.load(piece_cid)?)
    }

    /// Remembers how many copies are wished for.
    pub fn wish(&self, piece_cid: &Cid, copies: usize) -> Result<(), CareError> {
        let mut kept = self.book.load(piece_cid)?;
        kept.copies = Some(copies);
        Ok(self.book.save(piece_cid, &kept)?)
    }

    /// Where the bytes lie while they are handed on.
    fn car(&self, piece_cid: &Cid) -> Result<PathBuf, FileError> {
        Ok(self.outbox.folder()?.join("kept").join(format!("{piece_cid}.car")))
    }
}
