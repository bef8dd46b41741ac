//! The database's tables beside the blocks: what a node indexes about its chain.

mod snapshots;

use cid::Cid;
use fvm_ipld_encoding::tuple::{Deserialize_tuple, Serialize_tuple, serde_tuple};
use fvm_ipld_encoding::{de::DeserializeOwned, from_slice, to_vec};
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::event::StampedEvent;
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};

use crate::store::{Store, StoreError, db};
use crate::tipset::key_cid;

pub use snapshots::SnapshotRecord;

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
const TIPSETS: TableDefinition<i64, &[u8]> = TableDefinition::new("tipsets");
const PLACES: TableDefinition<&[u8], (i64, u32)> = TableDefinition::new("messages");
const EVENTS: TableDefinition<i64, &[u8]> = TableDefinition::new("events");
const POOL: TableDefinition<&[u8], &[u8]> = TableDefinition::new("mempool");

/// The first key in `meta`: format of the database and the network's constants.
const NETWORK: &str = "network/2";

/// What genesis fixed about the network, and which actors were installed since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct NetworkRecord {
    /// As `StateNetworkName` answers.
    pub name: String,
    /// EIP-155.
    pub chain_id: u64,
    /// Network version.
    pub version: u32,
    /// Seconds since 1970 of epoch 0.
    pub genesis_time: u64,
    /// The built-in actors: CID of the manifest's data.
    pub manifest: Cid,
    /// The miner that stands for the rest of the network and makes all blocks.
    pub anchor: Option<ActorID>,
    /// How many funded accounts there are.
    pub accounts: u64,
    /// All money there is; it never changes.
    pub supply: TokenAmount,
    /// What actors are told circulates.
    pub circulating: TokenAmount,
    /// Installed actors: id and code.
    pub installed: Vec<(ActorID, Cid)>,
}

/// A tipset and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct TipsetRecord {
    /// Its epoch.
    pub height: ChainEpoch,
    /// CID of its only block.
    pub block: Cid,
    /// CID of the parent's only block; `None` at genesis.
    pub parent: Option<Cid>,
    /// The state that its messages run on.
    pub parent_state: Cid,
    /// The state after its messages and cron.
    pub state: Cid,
    /// AMT of the receipts of its messages.
    pub receipts: Cid,
    /// Its messages by the CID they have on chain, in the order they ran.
    pub messages: Vec<Cid>,
}

/// An event with the message that caused it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct EventRecord {
    /// The message's CID on chain.
    pub message: Cid,
    /// The event.
    pub event: StampedEvent,
}

/// Where a message is: epoch of its tipset, and its number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Epoch of the tipset that holds it.
    pub epoch: ChainEpoch,
    /// Number in the tipset, from 0.
    pub index: u32,
}

/// Everything that one commit writes beside blocks.
#[derive(Default)]
pub struct Changes {
    /// New network constants (an actor was installed).
    pub network: Option<NetworkRecord>,
    /// The new head.
    pub tipset: Option<TipsetRecord>,
    /// Message CIDs, signed and unsigned, and where they are now.
    pub places: Vec<(Cid, Place)>,
    /// The new head's events.
    pub events: Vec<EventRecord>,
    /// Messages that came to the mempool.
    pub pool_in: Vec<(Cid, Vec<u8>)>,
    /// Messages that left it.
    pub pool_out: Vec<Cid>,
}

impl Changes {
    /// True if there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.network.is_none() && self.tipset.is_none() && self.pool_in.is_empty() && self.pool_out.is_empty()
    }

    pub(crate) fn write(&self, write: &WriteTransaction) -> Result<(), StoreError> {
        if let Some(network) = &self.network {
            db(db(write.open_table(META))?.insert(NETWORK, encode(network).as_slice()))?;
        }
        if let Some(tipset) = &self.tipset {
            db(db(write.open_table(TIPSETS))?.insert(tipset.height, encode(tipset).as_slice()))?;
            // The key leads to its tipset, as a message's CID does to its place.
            let key = key_cid(&[tipset.block]).to_bytes();
            db(db(write.open_table(PLACES))?.insert(key.as_slice(), (tipset.height, 0)))?;
            if !self.events.is_empty() {
                db(db(write.open_table(EVENTS))?.insert(tipset.height, encode(&self.events).as_slice()))?;
            }
        }
        if !self.places.is_empty() {
            let mut places = db(write.open_table(PLACES))?;
            for (cid, place) in &self.places {
                db(places.insert(cid.to_bytes().as_slice(), (place.epoch, place.index)))?;
            }
        }
        let mut pool = db(write.open_table(POOL))?;
        for (cid, signed) in &self.pool_in {
            db(pool.insert(cid.to_bytes().as_slice(), signed.as_slice()))?;
        }
        for cid in &self.pool_out {
            db(pool.remove(cid.to_bytes().as_slice()))?;
        }
        Ok(())
    }
}

pub(crate) fn create_tables(write: &WriteTransaction) -> Result<(), StoreError> {
    db(write.open_table(META))?;
    db(write.open_table(TIPSETS))?;
    db(write.open_table(PLACES))?;
    db(write.open_table(EVENTS))?;
    db(write.open_table(POOL))?;
    snapshots::create_table(write)
}

fn encode<T: serde::Serialize>(record: &T) -> Vec<u8> {
    to_vec(record).expect("records hold only what DAG-CBOR can")
}

fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    from_slice(bytes).map_err(|_| StoreError::Damaged(what))
}

impl Store {
    /// The network's constants; `None` in a fresh database.
    pub fn network(&self) -> Result<Option<NetworkRecord>, StoreError> {
        let table = db(self.begin_read()?.open_table(META))?;
        if db(table.get(NETWORK))?.is_none() && db(table.first())?.is_some() {
            return Err(StoreError::Damaged("the network record"));
        }
        db(table.get(NETWORK))?.map(|v| decode("the network record", v.value())).transpose()
    }

    /// The last tipset.
    pub fn head(&self) -> Result<Option<TipsetRecord>, StoreError> {
        let table = db(self.begin_read()?.open_table(TIPSETS))?;
        db(table.last())?.map(|(_, v)| decode("a tipset", v.value())).transpose()
    }

    /// The tipset at an epoch, or, if there is none, the last one before it.
    pub fn tipset_at_or_before(&self, epoch: ChainEpoch) -> Result<Option<TipsetRecord>, StoreError> {
        let table = db(self.begin_read()?.open_table(TIPSETS))?;
        let found = db(table.range(..=epoch))?.next_back().transpose();
        db(found)?.map(|(_, v)| decode("a tipset", v.value())).transpose()
    }

    /// The first tipset after an epoch.
    pub fn tipset_after(&self, epoch: ChainEpoch) -> Result<Option<TipsetRecord>, StoreError> {
        let table = db(self.begin_read()?.open_table(TIPSETS))?;
        let found = db(table.range(epoch + 1..))?.next().transpose();
        db(found)?.map(|(_, v)| decode("a tipset", v.value())).transpose()
    }

    /// Where a message is on the chain, by its signed or unsigned CID.
    pub fn place(&self, message: &Cid) -> Result<Option<Place>, StoreError> {
        let table = db(self.begin_read()?.open_table(PLACES))?;
        let found = db(table.get(message.to_bytes().as_slice()))?;
        Ok(found.map(|v| Place { epoch: v.value().0, index: v.value().1 }))
    }

    /// The events of the tipsets in `from..=to`, by epoch.
    pub fn events(&self, from: ChainEpoch, to: ChainEpoch) -> Result<Vec<(ChainEpoch, Vec<EventRecord>)>, StoreError> {
        let table = db(self.begin_read()?.open_table(EVENTS))?;
        let mut found = Vec::new();
        if from > to {
            return Ok(found);
        }
        for entry in db(table.range(from..=to))? {
            let (epoch, events) = db(entry)?;
            found.push((epoch.value(), decode("events", events.value())?));
        }
        Ok(found)
    }

    /// The tipset that `count` younger ones follow, if there are so many.
    pub fn tipset_before_last(&self, count: u64) -> Result<Option<TipsetRecord>, StoreError> {
        let table = db(self.begin_read()?.open_table(TIPSETS))?;
        if db(table.len())? <= count {
            return Ok(None);
        }
        let found = db(table.iter())?.rev().nth(usize::try_from(count).unwrap_or(usize::MAX)).transpose();
        db(found)?.map(|(_, v)| decode("a tipset", v.value())).transpose()
    }

    /// The last `count` tipsets, the newest first.
    pub fn last_tipsets(&self, count: u64) -> Result<Vec<TipsetRecord>, StoreError> {
        let table = db(self.begin_read()?.open_table(TIPSETS))?;
        let mut found = Vec::new();
        for entry in db(table.iter())?.rev().take(usize::try_from(count).unwrap_or(usize::MAX)) {
            found.push(decode("a tipset", db(entry)?.1.value())?);
        }
        Ok(found)
    }

    /// Forgets tipsets at these epochs, and their headers.
    pub fn forget_tipsets(&self, records: &[TipsetRecord], durable: bool) -> Result<(), StoreError> {
        let write = self.begin_write(durable)?;
        {
            let mut tipsets = db(write.open_table(TIPSETS))?;
            let mut places = db(write.open_table(PLACES))?;
            for record in records {
                db(tipsets.remove(record.height))?;
                db(places.remove(key_cid(&[record.block]).to_bytes().as_slice()))?;
            }
        }
        let headers: Vec<Vec<u8>> = records.iter().map(|record| record.block.to_bytes()).collect();
        self.forget_history(&write, headers.iter().map(Vec::as_slice))?;
        self.end_write(write)
    }

    /// The tipsets from an epoch on, the oldest first, while `more` says so.
    pub fn tipsets_from(
        &self,
        epoch: ChainEpoch,
        mut more: impl FnMut(TipsetRecord) -> bool,
    ) -> Result<(), StoreError> {
        let table = db(self.begin_read()?.open_table(TIPSETS))?;
        for entry in db(table.range(epoch..))? {
            if !more(decode("a tipset", db(entry)?.1.value())?) {
                break;
            }
        }
        Ok(())
    }

    /// The signed messages in the mempool, in no order.
    pub fn pool(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let table = db(self.begin_read()?.open_table(POOL))?;
        let mut found = Vec::new();
        for entry in db(table.iter())? {
            found.push(db(entry)?.1.value().to_vec());
        }
        Ok(found)
    }
}
