//! A rehearsal of what a user would do on a public network: every call and message that would go out has the published shape
//! (FRC-0104), and nothing has happened.

use std::sync::Arc;

use bauta_abi::{BountyId, CreateBountyReturn, EPOCH_NEVER, FileSpec, GrantSpec, RegisterFileReturn, Rights, Terms};
use bauta_client::actor::{Actor, Call};
use bauta_client::deploy::Deployment;
use bauta_client::home::Home;
use bauta_client::network::Network;
use bauta_client::node::{Node, Rehearsal};
use bauta_client::sender::{Sender, Silent, Slips};
use bauta_devnet::genesis::account_key;
use cid::Cid;
use cid::multihash::Multihash;
use fvm_shared::econ::TokenAmount;
use fvm_shared::piece::PaddedPieceSize;

use crate::shapes::Shapes;

/// Lotus's own, not in FRC-0104: asked before the first message to be sure of the network.
const BEYOND: [&str; 3] = ["Filecoin.StateNetworkName", "Filecoin.EthChainId", "Filecoin.Version"];

fn piece() -> Cid {
    Cid::new_v1(0xf101, Multihash::wrap(0x1012, &[7; 32]).unwrap())
}

fn file() -> FileSpec {
    FileSpec {
        payload_cid: Cid::new_v1(0x70, Multihash::wrap(0x12, &[7; 32]).unwrap()),
        piece_cid: piece(),
        padded_size: PaddedPieceSize(2_048),
        payload_size: 1_500,
        key_commitment: [7; 32],
        metadata: vec![1; 104],
        owner_wrap: vec![2; 98],
    }
}

fn terms() -> Terms {
    Terms {
        piece_cid: piece(),
        padded_size: PaddedPieceSize(2_048),
        file_id: Some(1),
        reward_per_replica: TokenAmount::from_whole(1),
        activation_bps: 0,
        replicas: 1,
        min_duration: 600_000,
        claim_deadline: 10_000,
        providers: vec![],
        source: String::new(),
        note: String::new(),
    }
}

#[tokio::test]
async fn what_is_rehearsed_has_the_published_shapes_and_happens_to_nobody() {
    let devnet = super::devnet().await;
    let installed = devnet.info().await.unwrap().actor.unwrap();
    let (me, friend) = (account_key(0), account_key(1).address());
    let real = devnet.node();
    let before = (real.balance(&me.address()).await.unwrap(), real.nonce(&me.address()).await.unwrap());

    let rehearsal = Arc::new(Rehearsal::new(real.clone()));
    let node: Arc<dyn Node> = rehearsal.clone();
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let slips = Slips::of(&home, &*real, &Network::Local).await.unwrap();
    let sender = Sender::new(node.clone(), me.clone(), Network::Local).with_slips(slips);
    let actor = Actor::new(node, installed);
    let deployment = Deployment::of(&home, &*real, &Network::Local).await.unwrap();
    // On a network without the EVM the estimate says no, which is as far as a rehearsal goes.
    let _ = deployment.run(&sender, &Silent).await;

    let call = Call::publish_key("age1abc".into()).unwrap();
    actor.send_only(&sender, &call, &Silent).await.unwrap();
    let call = Call::register_file(vec![file()]).unwrap();
    let RegisterFileReturn { ids } = actor.send(&sender, &call, &Silent).await.unwrap().value;
    // The file is there in the rehearsal alone: what follows is priced by guess, and still goes out in full.
    let spec = GrantSpec { address: friend, wrap: vec![3; 98], rights: Rights::READ, expiration: EPOCH_NEVER };
    let call = Call::grant_access(ids[0], vec![spec]).unwrap();
    actor.send_only(&sender, &call, &Silent).await.unwrap();
    let call = Call::create_bounty(terms(), TokenAmount::from_whole(1)).unwrap();
    let CreateBountyReturn { id } = actor.send(&sender, &call, &Silent).await.unwrap().value;
    let call = Call::fund_bounty(id as BountyId, TokenAmount::from_nano(1)).unwrap();
    actor.send_only(&sender, &call, &Silent).await.unwrap();

    let rehearsed = rehearsal.so_far();
    let (shapes, mut pushed) = (Shapes::open(), 0);
    for asked in &rehearsed.calls {
        if BEYOND.contains(&asked.method.as_str()) {
            continue;
        }
        let signature =
            shapes.methods.get(&asked.method).unwrap_or_else(|| panic!("{} is not published", asked.method));
        let params = asked.params.as_array().expect("params are a list");
        assert_eq!(params.len(), signature.params.len(), "{}: {}", asked.method, asked.params);
        for (shape, param) in signature.params.iter().zip(params) {
            shapes.check(shape, param).unwrap_or_else(|wrong| panic!("{}{wrong}", asked.method));
        }
        if asked.method == "Filecoin.MpoolPush" {
            pushed += 1;
            let data = params[0]["Signature"]["Data"].as_str().unwrap();
            assert!(data.chars().all(|c| c == 'A' || c == '='), "nobody can send it: {data}");
        }
    }
    assert!(rehearsed.calls.iter().any(|asked| {
        let message = &asked.params[0];
        asked.method == "Filecoin.GasEstimateMessageGas" && message["To"] == "t010" && message["Method"] == 4
    }));
    assert!(pushed >= 5 && rehearsed.messages.len() == pushed, "{pushed}");
    let nonces: Vec<_> = rehearsed.messages.iter().map(|message| message["Nonce"].as_u64().unwrap()).collect();
    assert!(nonces.windows(2).all(|pair| pair[1] == pair[0] + 1), "{nonces:?}");
    for message in &rehearsed.messages {
        shapes.check("#Message", message).unwrap();
    }

    let after = (real.balance(&me.address()).await.unwrap(), real.nonce(&me.address()).await.unwrap());
    assert_eq!(after, before, "nothing was sent");
    assert_eq!(Actor::new(real, installed).file(ids[0]).await.unwrap(), None);
    devnet.shutdown().await;
}
