//! Making a chain of a file: all of it, or nothing.

use std::collections::HashSet;
use std::io::{BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use anyhow::Context;
use bauta_client::message::eth::EthTransaction;
use bauta_client::message::{self, SignedMessage};
use cid::Cid;
use fvm_ipld_amt::Amtv0;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_car::{CarReader, Error as CarError};
use fvm_ipld_encoding::{CborStore, DAG_CBOR};

use super::{ArchiveError, Archived, Description, FORMAT, VERSION, is_block};
use crate::chain::Chain;
use crate::genesis::Genesis;
use crate::links::links;
use crate::on_large_stack;
use crate::records::{Changes, EventRecord, Place, TipsetRecord};
use crate::state::State;
use crate::store::{Roots, Store};
use crate::tipset::{self, BlockHeader, MessageLists};
use crate::vm::EPOCH_SECONDS;

/// All of them are looked through where they are shown.
const MAX_ACCOUNTS: u64 = 100_000;

/// Reads a chain into a state folder that holds none; on failure the folder is as it was. The network must be the one that
/// `genesis` would make. The head is run again, so actors are compiled.
pub fn import(input: impl Read + Send, folder: &Path, genesis: &Genesis) -> Result<Archived, ArchiveError> {
    if Store::is_in(folder) {
        return Err(ArchiveError::Occupied(folder.to_owned()));
    }
    let beside = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(beside)?;
    let made = tempfile::Builder::new().prefix(".bauta-import-").tempdir_in(beside)?;
    let store = Store::open(made.path())?;
    let archived = on_large_stack(|| read(input, store, genesis))?;
    Store::adopt(made.path(), folder)?;
    Ok(archived)
}

fn read(input: impl Read, store: Store, genesis: &Genesis) -> Result<Archived, ArchiveError> {
    let store = Rc::new(store);
    let car = CarReader::new(BufReader::new(input)).map_err(|e| match e {
        CarError::Io(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => ArchiveError::Disk(e),
        e => ArchiveError::NotACar(e.to_string()),
    })?;
    let &[head, description] = car.header.roots.as_slice() else { return Err(ArchiveError::NotASnapshot) };
    let mut blocks = 0;
    for block in car {
        let block = block.map_err(|e| damaged(format!("after {blocks} blocks: {e}")))?;
        store.put_keyed(&block.cid, &block.data)?;
        blocks += 1;
    }
    let description: Description = store.get_cbor(&description).ok().flatten().ok_or(ArchiveError::NotASnapshot)?;
    if description.network.accounts > MAX_ACCOUNTS {
        return Err(damaged("it names more accounts than anybody funds"));
    }
    if description.format != FORMAT || description.version != VERSION {
        return Err(ArchiveError::NotASnapshot);
    }
    let network = &description.network;
    if network.name != genesis.name || network.chain_id != genesis.chain_id {
        let show = |name: &str, id: u64| format!("{name} (chain id {id})");
        return Err(ArchiveError::OtherNetwork {
            found: show(&network.name, network.chain_id),
            wanted: show(&genesis.name, genesis.chain_id),
        });
    }
    genesis.bundle.check_is(network.manifest).map_err(|_| ArchiveError::OtherBundle)?;

    let row = Row { store: &store, description: &description };
    let tipsets = row.tipsets(head)?;
    let last = tipsets.last().expect("the head is one");
    for state in [last.state, last.parent_state] {
        whole(&store, state)?;
    }
    let tree = State::at(&store, &last.state).map_err(|e| damaged(format!("the state: {e:#}")))?;
    let total = tree.total_balance().map_err(|e| damaged(format!("the state: {e:#}")))?;
    if total != network.supply {
        return Err(damaged(format!("all balances together are {total}, and the network has {}", network.supply)));
    }
    row.keep(&tipsets)?;
    let verified = Chain::on(store.clone(), genesis).and_then(|mut chain| chain.verify_head());
    verified.map_err(|e| damaged(format!("the head: {e:#}")))?;
    Ok(Archived {
        network: network.name.clone(),
        epoch: last.height,
        head,
        state: last.state,
        tipsets: tipsets.len() as u64,
        blocks,
    })
}

fn damaged(why: impl Into<String>) -> ArchiveError {
    ArchiveError::Damaged(why.into())
}

/// Whether everything that hangs on a block is there.
fn whole(store: &Store, root: Cid) -> Result<(), ArchiveError> {
    let mut seen = HashSet::new();
    let mut open = vec![root];
    while let Some(cid) = open.pop() {
        if !is_block(&cid) || !seen.insert(cid) {
            continue;
        }
        let block = store.get(&cid)?.ok_or_else(|| damaged(format!("block {cid} is missing")))?;
        if cid.codec() == DAG_CBOR {
            open.extend(links(&block));
        }
    }
    Ok(())
}

/// The tipsets of a file.
struct Row<'a> {
    store: &'a Rc<Store>,
    description: &'a Description,
}

impl Row<'_> {
    /// The records of all tipsets from genesis to the head.
    fn tipsets(&self, head: Cid) -> Result<Vec<TipsetRecord>, ArchiveError> {
        let mut after = (self.description.state, self.description.receipts);
        let mut block = head;
        let mut tipsets: Vec<TipsetRecord> = Vec::new();
        loop {
            let header = self.header(&block)?;
            if tipsets.last().is_some_and(|child| child.height <= header.height) {
                return Err(damaged(format!("the epochs of the tipsets at {} do not follow", header.height)));
            }
            let parent = header.parents.first().copied();
            after = self.add(&mut tipsets, block, header, after)?;
            match parent {
                Some(parent) if tipsets.last().is_some_and(|t| t.height > 0) && self.store.has(&parent)? => {
                    block = parent
                }
                _ => break,
            }
        }
        let first = self.description.genesis;
        if tipsets.last().is_none_or(|oldest| oldest.block != first) {
            let header = self.header(&first)?;
            if header.height != 0 {
                return Err(damaged("what is called genesis is not at epoch 0"));
            }
            // Nothing happens in genesis.
            let after = (header.parent_state_root, header.parent_message_receipts);
            self.add(&mut tipsets, first, header, after)?;
        }
        tipsets.reverse();
        Ok(tipsets)
    }

    fn header(&self, block: &Cid) -> Result<BlockHeader, ArchiveError> {
        let header = tipset::read_block(self.store, block).map_err(|e| damaged(format!("{e:#}")))?;
        let since = u64::try_from(header.height).ok().and_then(|height| height.checked_mul(EPOCH_SECONDS));
        let time = since.and_then(|since| since.checked_add(self.description.network.genesis_time));
        if header.parents.len() != 1 || time != Some(header.timestamp) {
            return Err(damaged(format!("block {block} is none of a devnet's")));
        }
        Ok(header)
    }

    /// Adds a tipset after which there are this state and these receipts; gives those before it.
    fn add(
        &self,
        tipsets: &mut Vec<TipsetRecord>,
        block: Cid,
        header: BlockHeader,
        (state, receipts): (Cid, Cid),
    ) -> Result<(Cid, Cid), ArchiveError> {
        whole(self.store, header.messages)?;
        whole(self.store, receipts)?;
        let messages = self.messages(&header.messages).map_err(|e| damaged(format!("messages of {block}: {e:#}")))?;
        let count = Amtv0::<fvm_shared::receipt::Receipt, _>::load(&receipts, self.store).map(|amt| amt.count());
        if count.map_err(|e| damaged(format!("receipts of {block}: {e}")))? != messages.len() as u64 {
            return Err(damaged(format!("block {block} has another number of receipts than of messages")));
        }
        let before = (header.parent_state_root, header.parent_message_receipts);
        tipsets.push(TipsetRecord {
            height: header.height,
            block,
            parent: header.parents.first().copied().filter(|_| header.height > 0),
            parent_state: header.parent_state_root,
            state,
            receipts,
            messages,
        });
        Ok(before)
    }

    fn messages(&self, lists: &Cid) -> anyhow::Result<Vec<Cid>> {
        let lists: MessageLists = self.store.get_cbor(lists)?.context("the lists are missing")?;
        let mut all = Vec::new();
        for list in [lists.bls, lists.secp256k1] {
            Amtv0::<Cid, _>::load(&list, self.store)?.for_each(|_, cid| {
                all.push(*cid);
                Ok(())
            })?;
        }
        Ok(all)
    }

    /// Writes everything.
    fn keep(&self, tipsets: &[TipsetRecord]) -> Result<(), ArchiveError> {
        let (mut history, mut headers, mut records) = (vec![], vec![], vec![]);
        for tipset in tipsets {
            let mut changes = Changes { tipset: Some(tipset.clone()), ..Changes::default() };
            self.index(tipset, &mut changes, &mut history).map_err(|e| damaged(format!("{e:#}")))?;
            history.extend([tipset.receipts, tipset::read_block(self.store, &tipset.block)?.messages]);
            headers.push(tipset.block);
            records.push(changes);
        }
        let head = tipsets.last().expect("there is one");
        let states = [head.state, head.parent_state];
        let network = Changes { network: Some(self.description.network.clone()), ..Changes::default() };
        self.store.commit(Roots { states: &states, history: &history, headers: &headers }, &network, false)?;
        records.iter().try_for_each(|changes| self.store.record(changes, false))?;
        Ok(self.store.sync()?)
    }

    /// Where messages are, and the events they caused.
    fn index(&self, tipset: &TipsetRecord, changes: &mut Changes, history: &mut Vec<Cid>) -> anyhow::Result<()> {
        let receipts = tipset::read_receipts(self.store, &tipset.receipts)?;
        for ((index, cid), receipt) in (0u32..).zip(&tipset.messages).zip(receipts) {
            let place = Place { epoch: tipset.height, index };
            changes.places.push((*cid, place));
            let block = self.store.get(cid)?.with_context(|| format!("message {cid} is missing"))?;
            if let Ok(signed) = SignedMessage::from_bytes(&block) {
                let unsigned = message::cid(&signed.message);
                self.store.put_keyed(&unsigned, &message::to_bytes(&signed.message))?;
                history.push(unsigned);
                changes.places.push((unsigned, place));
                let chain_id = self.description.network.chain_id;
                if let Ok(transaction) = EthTransaction::of_signed(&signed, chain_id) {
                    changes.places.push((tipset::transaction_cid(&transaction.hash()), place));
                }
            } else {
                message::from_bytes(&block).map_err(|e| anyhow::anyhow!("message {cid}: {e}"))?;
            }
            if let Some(root) = receipt.events_root {
                let events = tipset::read_events(self.store, &root)?;
                changes.events.extend(events.into_iter().map(|event| EventRecord { message: *cid, event }));
            }
        }
        Ok(())
    }
}
