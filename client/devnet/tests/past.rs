//! What becomes of the past: it can be gone back to, written into a file and gone on with elsewhere, and forgotten.

use std::path::Path;

use bauta_client::wallet::{Key, KeyKind};
use bauta_devnet::archive::{ArchiveError, export, import};
use bauta_devnet::bundle::{BAUTA_ACTOR, Bundle};
use bauta_devnet::chain::{Chain, Keep};
use bauta_devnet::genesis::{ACCOUNT_FIL, Genesis, account_key};
use bauta_devnet::on_large_stack;
use bauta_devnet::store::Store;
use cid::Cid;
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn genesis() -> Genesis {
    Genesis { bundle: Bundle::from_environment(), accounts: 2, ..Genesis::default() }
}

fn pay(chain: &mut Chain, key: &Key, to: &Address, fil: i64) -> i64 {
    chain.send(key, to, 0, &TokenAmount::from_whole(fil), RawBytes::default()).unwrap().epoch
}

fn balance(chain: &Chain, address: &Address) -> TokenAmount {
    chain.actor(address).unwrap().map(|a| a.balance).unwrap_or_default()
}

fn assert_sound(chain: &Chain) {
    assert_eq!(chain.violations().unwrap(), Vec::<String>::new());
}

#[test]
fn a_revert_undoes_everything_since_the_snapshot() {
    on_large_stack(|| {
        let mut chain = Chain::in_memory(&genesis()).unwrap();
        let (alice, bob) = (account_key(0), account_key(1).address());
        pay(&mut chain, &alice, &bob, 1);
        assert!(chain.revert(None).unwrap_err().to_string().contains("no snapshot"));
        let first = chain.snapshot().unwrap();
        let then = (chain.head().clone(), balance(&chain, &bob), chain.next_nonce(&alice.address()).unwrap());

        let replay = |chain: &mut Chain| {
            pay(chain, &alice, &bob, 2);
            chain.mine(100).unwrap();
            pay(chain, &alice, &bob, 3);
            chain.head().clone()
        };
        let once = replay(&mut chain);
        let second = chain.snapshot().unwrap();
        assert_eq!((first, second), (1, 2));
        chain.install(BAUTA_ACTOR).unwrap();
        let undone = chain.head().clone();

        // The newest if none is named; what was installed is gone with it.
        assert_eq!(chain.revert(None).unwrap(), second);
        assert_eq!((chain.head(), chain.network().installed.len()), (&once, 0));
        assert_eq!(chain.store().tipset_after(once.height).unwrap(), None);
        assert_eq!(chain.store().place(undone.messages.first().unwrap_or(&undone.block)).unwrap(), None);

        assert_eq!(chain.revert(Some(first)).unwrap(), first);
        assert_eq!(
            (chain.head(), balance(&chain, &bob), chain.next_nonce(&alice.address()).unwrap()),
            (&then.0, then.1, then.2)
        );
        for message in &once.messages {
            assert!(chain.included(message).unwrap().is_none(), "a message that was undone is unknown");
        }
        assert!(chain.revert(Some(first)).is_err(), "a snapshot is used up");
        assert!(chain.revert(Some(second)).is_err(), "and those after it");
        assert_sound(&chain);

        // The same again leads to the same.
        assert_eq!(replay(&mut chain), once);
        assert_eq!(chain.snapshot().unwrap(), 3, "numbers are not used twice");
    });
}

#[test]
fn a_snapshot_outlives_a_restart_and_remembers_what_waited() {
    on_large_stack(|| {
        let folder = tempfile::tempdir().unwrap();
        let (alice, bob) = (account_key(0), account_key(1).address());
        let mut draft =
            bauta_client::message::draft(alice.address(), bob, TokenAmount::from_whole(7), 0, RawBytes::default());
        (draft.gas_limit, draft.gas_fee_cap) = (5_000_000, TokenAmount::from_atto(1_000));
        let waiting = alice.sign(draft).unwrap();
        {
            let mut chain = Chain::open(folder.path(), &genesis()).unwrap();
            chain.push(waiting.clone()).unwrap();
            chain.snapshot().unwrap();
            chain.mine(5).unwrap();
            assert_eq!(balance(&chain, &bob), TokenAmount::from_whole(ACCOUNT_FIL + 7));
        }
        {
            let mut chain = Chain::open(folder.path(), &genesis()).unwrap();
            chain.revert(Some(1)).unwrap();
            assert_eq!((chain.epoch(), balance(&chain, &bob)), (0, TokenAmount::from_whole(ACCOUNT_FIL)));
        }
        let mut chain = Chain::open(folder.path(), &genesis()).unwrap();
        chain.mine_one().unwrap();
        assert!(chain.included(&waiting.cid()).unwrap().is_some(), "it waited at the time of the snapshot");
        assert_sound(&chain);
    });
}

/// A chain with messages of both kinds, an installed actor and its events, and null rounds; left open.
fn eventful(folder: &Path) -> Chain {
    let mut chain = Chain::open(folder, &genesis()).unwrap();
    let (alice, bls) = (account_key(0), Key::from_seed(KeyKind::Bls, b"past"));
    pay(&mut chain, &alice, &bls.address(), 10);
    let actor = chain.install(BAUTA_ACTOR).unwrap().address;
    let key = RawBytes::serialize((bauta_client::crypt::Identity::generate().recipient().to_string(),)).unwrap();
    chain.send(&alice, &actor, bauta_abi::Method::PublishKey.number(), &TokenAmount::default(), key).unwrap();
    chain.mine(500).unwrap();
    pay(&mut chain, &bls, &alice.address(), 1);
    pay(&mut chain, &alice, &bls.address(), 2);
    chain
}

#[test]
fn a_chain_in_a_file_goes_on_elsewhere_and_forgeries_do_not() {
    on_large_stack(|| {
        let folder = tempfile::tempdir().unwrap();
        let chain = eventful(&folder.path().join("one"));
        let mut car = Vec::new();
        let exported = export(chain.store(), &mut car).unwrap();
        drop(chain);
        // Whoever reads the folder gets the same file.
        let mut again = Vec::new();
        export(&Store::open_to_read(&folder.path().join("one")).unwrap(), &mut again).unwrap();
        assert!(car == again);
        let mut chain = Chain::open(&folder.path().join("one"), &genesis()).unwrap();
        assert_eq!(
            (exported.head, exported.epoch, exported.state),
            (chain.head().block, chain.epoch(), chain.head().state)
        );

        let two = folder.path().join("two");
        let imported = import(&car[..], &two, &genesis()).unwrap();
        assert_eq!(imported, exported);
        let mut other = Chain::open(&two, &genesis()).unwrap();
        assert_eq!((other.head(), other.network()), (chain.head(), chain.network()));
        assert_sound(&other);
        let (mut epoch, mut messages, mut events) = (0, 0, 0);
        while let Some(record) = chain.store().tipset_after(epoch).unwrap() {
            epoch = record.height;
            assert_eq!(other.store().tipset_at_or_before(epoch).unwrap().as_ref(), Some(&record));
            assert_eq!(other.store().events(epoch, epoch).unwrap(), chain.store().events(epoch, epoch).unwrap());
            events += other.store().events(epoch, epoch).unwrap().len();
            for message in &record.messages {
                let there = other.included(message).unwrap().unwrap();
                assert_eq!(there.receipt, chain.included(message).unwrap().unwrap().receipt);
                messages += 1;
            }
        }
        assert_eq!((messages, events), (4, 1));
        for chain in [&mut chain, &mut other] {
            pay(chain, &account_key(0), &account_key(1).address(), 5);
        }
        assert_eq!(other.head(), chain.head(), "both go on alike");
        drop(other);
        assert!(matches!(import(&car[..], &two, &genesis()), Err(ArchiveError::Occupied(_))));

        let three = folder.path().join("three");
        let refused = |bytes: &[u8], genesis: &Genesis| {
            let refused = import(bytes, &three, genesis).expect_err("refused");
            let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert_eq!(left.len(), 2, "nothing is left: {left:?}");
            refused
        };
        let elsewhere = Genesis { name: "elsewhere".into(), ..genesis() };
        assert!(matches!(refused(&car, &elsewhere), ArchiveError::OtherNetwork { .. }));
        assert!(matches!(refused(&[], &genesis()), ArchiveError::NotACar(_)));
        assert!(matches!(refused(&vec![7; 5_000], &genesis()), ArchiveError::NotACar(_)));
        let mut of_something_else = Vec::new();
        let head = fvm_ipld_car::CarHeader::new(vec![chain.head().block], 1);
        fvm_ipld_car::CarWriter::new(head, &mut of_something_else).unwrap().flush().unwrap();
        assert!(matches!(refused(&of_something_else, &genesis()), ArchiveError::NotASnapshot));
        let mut rng = StdRng::seed_from_u64(7);
        for _ in 0..24 {
            let at = rng.gen_range(0..car.len());
            refused(&car[..at], &genesis());
            let mut changed = car.clone();
            changed[at] ^= 1 << rng.gen_range(0..8);
            refused(&changed, &genesis());
        }
        forged(&car, &mut |bytes| matches!(refused(bytes, &genesis()), ArchiveError::Damaged(_)));
    });
}

/// Well-formed CARs whose blocks are what their names say, but not the chain's: each must be refused.
fn forged(car: &[u8], is_refused: &mut dyn FnMut(&[u8]) -> bool) {
    let reader = fvm_ipld_car::CarReader::new(car).unwrap();
    let roots = reader.header.roots.clone();
    let blocks: Vec<fvm_ipld_car::Block> = reader.map(Result::unwrap).collect();
    let write = |roots: Vec<Cid>, blocks: &[fvm_ipld_car::Block]| {
        let mut out = Vec::new();
        let mut writer = fvm_ipld_car::CarWriter::new(fvm_ipld_car::CarHeader::new(roots, 1), &mut out).unwrap();
        for block in blocks {
            writer.write(fvm_ipld_car::Block { cid: block.cid, data: block.data.clone() }).unwrap();
        }
        writer.flush().unwrap();
        out
    };
    // Without one block, whichever it is (the description is another matter).
    for missing in (0..blocks.len()).step_by(blocks.len() / 12 + 1).filter(|at| blocks[*at].cid != roots[1]) {
        let mut fewer: Vec<_> =
            blocks.iter().map(|b| fvm_ipld_car::Block { cid: b.cid, data: b.data.clone() }).collect();
        let gone = fewer.remove(missing);
        // An older header may be missing: the chain begins later then.
        if fvm_ipld_encoding::from_slice::<bauta_devnet::tipset::BlockHeader>(&gone.data).is_err() {
            assert!(is_refused(&write(roots.clone(), &fewer)), "without {}", gone.cid);
        }
    }
    // The state of an older tipset as that of the head, a message as the head.
    let description = &blocks.iter().find(|b| b.cid == roots[1]).unwrap().data;
    let head: bauta_devnet::tipset::BlockHeader =
        fvm_ipld_encoding::from_slice(&blocks.iter().find(|b| b.cid == roots[0]).unwrap().data).unwrap();
    let mut lie: (String, u64, bauta_devnet::records::NetworkRecord, Cid, Cid, Cid) =
        fvm_ipld_encoding::from_slice(description).unwrap();
    lie.4 = head.parent_message_receipts;
    let data = fvm_ipld_encoding::to_vec(&lie).unwrap();
    let name = bauta_client::message::cid_of(&data);
    let mut more = vec![fvm_ipld_car::Block { cid: name, data }];
    more.extend(blocks.iter().map(|b| fvm_ipld_car::Block { cid: b.cid, data: b.data.clone() }));
    assert!(is_refused(&write(vec![roots[0], name], &more)), "other receipts");
    assert!(is_refused(&write(vec![head.messages, roots[1]], &blocks)), "another head");
}

#[test]
fn what_is_empty_and_old_is_forgotten_and_what_happened_is_not() {
    on_large_stack(|| {
        let folder = tempfile::tempdir().unwrap();
        let mut chain = Chain::open(folder.path(), &genesis()).unwrap();
        chain.set_keep(Keep { states: 10, empty: 30, ..Keep::default() });
        let (alice, bob) = (account_key(0), account_key(1).address());
        let mut busy = Vec::new();
        for round in 0..6 {
            busy.push(pay(&mut chain, &alice, &bob, 1));
            for _ in 0..10 {
                chain.mine_one().unwrap();
            }
            if round == 1 {
                chain.snapshot().unwrap();
            }
        }
        let (pinned, last) = (2 * 11, chain.epoch());
        let forgotten = chain.forget().unwrap();
        assert!(forgotten.states.gone > 0 && forgotten.tipsets > 0, "{forgotten:?}");
        for epoch in 0..=last {
            let record = chain.store().tipset_at_or_before(epoch).unwrap().unwrap();
            let kept = epoch == 0
                || epoch >= last - 30
                || epoch == pinned
                || busy.contains(&epoch)
                || busy.contains(&(epoch - 1));
            assert_eq!(record.height == epoch, kept, "{epoch}");
            let readable = bauta_devnet::state::State::at(chain.store(), &record.state).is_ok();
            if kept && epoch > last - 10 {
                assert!(readable, "{epoch}");
            }
        }
        for epoch in &busy {
            let record = chain.store().tipset_at_or_before(*epoch).unwrap().unwrap();
            let included = chain.included(&record.messages[0]).unwrap().unwrap();
            assert!(included.receipt.exit_code.is_success());
        }
        assert_sound(&chain);
        // Again there is nothing to forget, and life goes on.
        assert_eq!(chain.forget().unwrap().states.gone, 0);
        pay(&mut chain, &alice, &bob, 1);
        assert_sound(&chain);
        drop(chain);
        let mut chain = Chain::open(folder.path(), &genesis()).unwrap();
        assert_sound(&chain);
        chain.revert(None).unwrap();
        assert_eq!((chain.epoch(), balance(&chain, &bob)), (pinned, TokenAmount::from_whole(ACCOUNT_FIL + 2)));
        pay(&mut chain, &alice, &bob, 1);
        assert_sound(&chain);
    });
}
