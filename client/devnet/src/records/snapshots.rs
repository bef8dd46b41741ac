//! Moments that can be gone back to.

use cid::Cid;
use fvm_ipld_encoding::RawBytes;
use fvm_ipld_encoding::tuple::{Deserialize_tuple, Serialize_tuple, serde_tuple};
use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::{EVENTS, META, NETWORK, NetworkRecord, PLACES, POOL, TIPSETS, TipsetRecord, decode, encode};
use crate::store::{Store, StoreError, db};

const SNAPSHOTS: TableDefinition<u64, &[u8]> = TableDefinition::new("snapshots");
/// In `meta`: the number of the newest snapshot that there ever was.
const LAST: &str = "snapshot";

/// A moment that can be gone back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SnapshotRecord {
    /// The head.
    pub head: TipsetRecord,
    /// The network's constants.
    pub network: NetworkRecord,
    /// The signed messages that waited, by the CID they have on chain.
    pub pool: Vec<(Cid, RawBytes)>,
    /// What those with duties knew: JSON.
    pub duties: String,
}

pub(super) fn create_table(write: &WriteTransaction) -> Result<(), StoreError> {
    db(write.open_table(SNAPSHOTS))?;
    Ok(())
}

impl Store {
    /// All snapshots with their numbers, the oldest first.
    pub fn snapshots(&self) -> Result<Vec<(u64, SnapshotRecord)>, StoreError> {
        let table = db(self.begin_read()?.open_table(SNAPSHOTS))?;
        let mut found = Vec::new();
        for entry in db(table.iter())? {
            let (id, record) = db(entry)?;
            found.push((id.value(), decode("a snapshot", record.value())?));
        }
        Ok(found)
    }

    /// Keeps a snapshot under the next number, which it gives.
    pub fn add_snapshot(&self, record: &SnapshotRecord, durable: bool) -> Result<u64, StoreError> {
        let write = self.begin_write(durable)?;
        let id = {
            let mut meta = db(write.open_table(META))?;
            let last: u64 = match db(meta.get(LAST))? {
                Some(value) => decode("the last snapshot's number", value.value())?,
                None => 0,
            };
            db(meta.insert(LAST, encode(&(last + 1)).as_slice()))?;
            db(db(write.open_table(SNAPSHOTS))?.insert(last + 1, encode(record).as_slice()))?;
            last + 1
        };
        self.end_write(write)?;
        Ok(id)
    }

    /// Goes back to a snapshot, which goes with all younger ones: tipsets after its head, their events and messages are
    /// gone; headers stay for those who are still to be told. Gives the tipsets that are gone.
    pub fn go_back(&self, id: u64, to: &SnapshotRecord, durable: bool) -> Result<Vec<TipsetRecord>, StoreError> {
        let write = self.begin_write(durable)?;
        let height = to.head.height;
        let mut gone = Vec::new();
        {
            db(db(write.open_table(META))?.insert(NETWORK, encode(&to.network).as_slice()))?;
            let mut tipsets = db(write.open_table(TIPSETS))?;
            for entry in db(tipsets.range(height + 1..))? {
                gone.push(decode::<TipsetRecord>("a tipset", db(entry)?.1.value())?);
            }
            db(tipsets.retain_in(height + 1.., |_, _| false))?;
            db(db(write.open_table(EVENTS))?.retain_in(height + 1.., |_, _| false))?;
            let mut unknown = Vec::new();
            db(db(write.open_table(PLACES))?.retain(|cid, (epoch, _)| {
                if epoch > height {
                    unknown.push(cid.to_vec());
                }
                epoch <= height
            }))?;
            self.forget_history(&write, unknown.iter().map(Vec::as_slice))?;
            let mut pool = db(write.open_table(POOL))?;
            db(pool.retain(|_, _| false))?;
            for (cid, signed) in &to.pool {
                db(pool.insert(cid.to_bytes().as_slice(), signed.bytes()))?;
            }
            db(db(write.open_table(SNAPSHOTS))?.retain_in(id.., |_, _| false))?;
        }
        self.end_write(write)?;
        Ok(gone)
    }
}
