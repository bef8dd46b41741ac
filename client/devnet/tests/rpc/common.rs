//! FRC-0104, the API that nodes have in common: which of its methods are served, and that each answers in the form that it has
//! there, on a chain with sectors, a deal, events and messages of both kinds. Whether it is true what they say: `facts.rs`.

use bauta_client::address::{Address, Prefix};
use bauta_client::deal::market::{DealProposal, MARKET};
use bauta_client::deal::mk12::{self, DealParams, Transfer};
use bauta_client::deal::{Timeouts, piece_path};
use bauta_client::message::{self, RawBytes, SignedMessage, TokenAmount};
use bauta_client::node::json::{MessageJson, SignedMessageJson, TipsetKey};
use bauta_client::wallet::{Key, KeyKind};
use bauta_devnet::genesis::account_key;
use bauta_devnet::{Devnet, methods};
use serde_json::{Value, json};

use crate::shapes::{Shapes, spoiled};
use crate::shop::{self, HALF_A_YEAR, Shop, until};

/// What is not served, and why: the same list stands in the devnet's README.
const NOT_SERVED: [(&str, &str); 12] = [
    ("MinerCreateBlock", "the devnet makes its blocks itself"),
    ("MinerGetBaseInfo", "the devnet makes its blocks itself"),
    ("SyncSubmitBlock", "the devnet makes its blocks itself"),
    ("NetAddrsListen", "there is no network of peers"),
    ("NetAgentVersion", "there is no network of peers"),
    ("NetConnect", "there is no network of peers"),
    ("NetDisconnect", "there is no network of peers"),
    ("NetProtectAdd", "there is no network of peers"),
    ("NetProtectList", "there is no network of peers"),
    ("NetProtectRemove", "there is no network of peers"),
    ("StateMinerInitialPledgeCollateral", "what a sector costs differs by bundle: ask by StateCall"),
    ("StateMinerPreCommitDepositForPower", "what a sector costs differs by bundle: ask by StateCall"),
];

#[test]
fn the_list_of_what_is_not_served_is_true() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let shapes = Shapes::open();
    assert_eq!(shapes.methods.len(), 100);
    let served: Vec<&str> = methods().map(|(name, _)| name).collect();
    for (name, signature) in &shapes.methods {
        let short = name.strip_prefix("Filecoin.").unwrap();
        let reason = NOT_SERVED.iter().find(|(not, _)| *not == short);
        assert_eq!(served.contains(&name.as_str()), reason.is_none(), "{name}");
        if let Some((_, reason)) = reason {
            assert!(readme.contains(&format!("`{short}`")) && readme.contains(reason), "the README lacks {name}");
            continue;
        }
        let (_, params) = methods().find(|(served, _)| served == name).unwrap();
        assert_eq!(params, signature.params.len(), "{name}");
    }
}

/// What happened on the chain that is asked about.
pub struct Past {
    pub devnet: Devnet,
    pub miner: Address,
    pub client: Address,
    pub actor: Address,
    /// In the mempool's and in the chain's own form.
    pub secp: SignedMessage,
    bls: SignedMessage,
    /// A tipset with messages, and the head.
    pub included: TipsetKey,
    pub head: TipsetKey,
    events_root: Value,
}

impl Past {
    pub async fn new() -> Self {
        let devnet = shop::devnet(None, 2).await;
        let client = account_key(0);
        let first = Shop::of(&devnet, 0, &client).await;
        let piece = first.store(&shop::bytes(1, 1_000), None).await;
        // The second provider takes the same piece by a deal of the built-in market.
        let second = Shop::of(&devnet, 1, &client).await;
        let escrow = RawBytes::serialize(client.address()).unwrap().to_vec();
        shop::send(&devnet, &client, MARKET, TokenAmount::from_whole(1), 822_473_126, escrow).await;
        let now = devnet.info().await.unwrap().epoch;
        let mut offer = DealProposal::new(&piece, client.address(), second.miner, now + 100, HALF_A_YEAR);
        offer.storage_price_per_epoch = TokenAmount::from_atto(1_000);
        let deal = DealParams {
            deal_uuid: [1; 16],
            is_offline: false,
            client_deal_proposal: offer.sign(&client).unwrap(),
            deal_data_root: piece.piece_cid,
            transfer: Transfer::http(&format!("{}{}", first.url, piece_path(&piece)), piece.payload_size),
            remove_unsealed_copy: false,
            skip_ipni_announce: true,
        };
        mk12::store(&second.url, &deal, Timeouts::default()).await.unwrap();
        let node = devnet.node();
        until("an active deal", || async {
            node.market_deal(0).await.unwrap().is_some_and(|deal| deal.state.sector_start_epoch > 0)
        })
        .await;

        let actor = devnet.info().await.unwrap().actor.unwrap();
        let other = Key::from_seed(KeyKind::Bls, b"common");
        node.devnet_fund(&other.address(), &TokenAmount::from_whole(5)).await.unwrap();
        let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        let publish = bauta_abi::Method::PublishKey.number();
        let params = RawBytes::serialize((recipient,)).unwrap();
        let secp = sign(&devnet, &client, actor, publish, params).await;
        let bls = sign(&devnet, &other, client.address(), 0, RawBytes::default()).await;
        node.mpool_push(&bls).await.unwrap();
        let cid = node.mpool_push(&secp).await.unwrap();
        let lookup = node.search_msg(&TipsetKey::HEAD, &cid, -1).await.unwrap().unwrap();
        let included = node.tipset(&lookup.tip_set).await.unwrap().blocks[0].parents.clone();
        let events_root = json!({ "/": lookup.receipt.events_root.unwrap().to_string() });
        let head = node.chain_head().await.unwrap().cids;
        Self { miner: second.miner, client: client.address(), actor, secp, bls, included, head, events_root, devnet }
    }

    /// A message that can be sent now.
    async fn next(&self, ahead: u64) -> SignedMessage {
        let mut draft = message::draft(self.client, self.miner, TokenAmount::from_atto(1), 0, RawBytes::default());
        draft.sequence = self.devnet.node().nonce(&self.client).await.unwrap() + ahead;
        let draft = self.devnet.node().gas_estimate(&draft, None).await.unwrap();
        account_key(0).sign(draft).unwrap()
    }

    /// Calls of a method, by its params: more than one where it answers in more than one way.
    async fn calls(&self, method: &str) -> Vec<Value> {
        let address = |a: &Address| json!(Prefix::Testnet.show(a));
        let (miner, client, actor) = (address(&self.miner), address(&self.client), address(&self.actor));
        let (key, head) = (json!(self.included), json!(self.head));
        let block = key[0].clone();
        let signed = json!({ "/": self.secp.cid().to_string() });
        let unsigned = json!({ "/": message::cid(&self.bls.message).to_string() });
        let draft = json!({ "From": client, "To": miner, "Value": "1", "Params": "" });
        let height = self.devnet.info().await.unwrap().epoch;
        let announced = json!({ "addresses": [actor], "fromHeight": 0 });
        match method {
            "ChainGetBlock" | "ChainGetBlockMessages" | "ChainGetParentMessages" | "ChainGetParentReceipts" => {
                vec![json!([block]), json!([head[0]])]
            }
            "ChainGetEvents" => vec![json!([self.events_root])],
            "ChainGetMessage" => vec![json!([signed]), json!([unsigned])],
            "ChainGetPath" => vec![json!([key, head]), json!([head, key]), json!([key, key])],
            "ChainGetTipSet" => vec![json!([key]), json!([null]), json!([[]])],
            "ChainGetTipSetAfterHeight" | "ChainGetTipSetByHeight" => vec![json!([height - 1, null]), json!([0, key])],
            "ChainHasObj" | "ChainReadObj" => vec![json!([block]), json!([signed])],
            "GasEstimateFeeCap" => vec![json!([draft, 20, null])],
            "GasEstimateGasLimit" => vec![json!([draft, null])],
            "GasEstimateGasPremium" => vec![json!([10, client, 1000, null])],
            "GasEstimateMessageGas" => {
                vec![
                    json!([draft, null, null]),
                    json!([draft, { "MaxFee": "0" }, key]),
                    json!([draft, { "MaxFee": "9" }, []]),
                ]
            }
            "GetActorEventsRaw" => vec![json!([announced]), json!([null]), json!([{ "tipsetKey": key }])],
            "MpoolBatchPush" | "MpoolBatchPushUntrusted" => {
                let both = [self.next(0).await, self.next(1).await].map(SignedMessageJson);
                vec![json!([both]), json!([[]])]
            }
            "MpoolPush" | "MpoolPushUntrusted" => vec![json!([SignedMessageJson(self.next(0).await)])],
            "MpoolPushMessage" => vec![json!([draft, null]), json!([draft, { "MaxFee": "100000000000000000" }])],
            "MpoolSelect" => vec![json!([null, 0.5])],
            "StateCall" => {
                let call =
                    json!({ "From": client, "To": actor, "Method": self.secp.message.method_num, "Params": "gA==" });
                vec![
                    json!([draft, null]),
                    json!([call, null]),
                    json!([MessageJson::from(self.secp.message.clone()), head]),
                ]
            }
            "StateReplay" => vec![json!([null, signed]), json!([key, signed]), json!([null, unsigned])],
            "StateDealProviderCollateralBounds" => vec![json!([2048, false, null])],
            "StateGetBeaconEntry" => vec![json!([height])],
            "StateGetRandomnessDigestFromBeacon" | "StateGetRandomnessDigestFromTickets" => vec![json!([height, null])],
            "StateGetRandomnessFromBeacon" | "StateGetRandomnessFromTickets" => {
                vec![json!([4, height, null, null]), json!([9, 0, "AAA=", key])]
            }
            "StateGetAllocation" | "StateGetClaim" => vec![json!([client, 1, null])],
            "StateGetAllocationForPendingDeal" | "StateGetAllocationIdForPendingDeal" | "StateMarketStorageDeal" => {
                vec![json!([0, null])]
            }
            "StateListMessages" => vec![json!([{ "To": actor, "From": null }, null, 0])],
            "StateSearchMsg" => vec![json!([null, signed, -1, true]), json!([key, signed, 0, false])],
            "StateWaitMsg" => vec![json!([signed, 0, -1, true]), json!([unsigned, 1, -1, false])],
            "StateMinerPartitions" => (0..48).map(|deadline| json!([miner, deadline, null])).collect(),
            "StateMinerSectors" => vec![json!([miner, null, null]), json!([miner, [1, 1], null])],
            "StateMinerSectorAllocated"
            | "StateSectorExpiration"
            | "StateSectorGetInfo"
            | "StateSectorPartition"
            | "StateSectorPreCommitInfo" => vec![json!([miner, 1, null])],
            "WalletSign" => vec![json!([client, "AAEC"])],
            "WalletSignMessage" => vec![json!([client, draft])],
            "MpoolGetNonce" | "WalletBalance" | "WalletHas" => vec![json!([client])],
            name if name.starts_with("StateMiner") => vec![json!([miner, null]), json!([miner, head])],
            "StateAccountKey"
            | "StateGetActor"
            | "StateLookupID"
            | "StateLookupRobustAddress"
            | "StateReadState"
            | "StateMarketBalance"
            | "StateGetAllocations"
            | "StateGetClaims"
            | "StateVerifiedClientStatus"
            | "StateVerifierStatus" => vec![json!([client, null])],
            "ChainGetFinalizedTipSet" | "ChainHead" | "NetPeers" | "StateGetNetworkParams" | "WalletList" => {
                vec![json!([])]
            }
            // All others take a tipset.
            _ => vec![json!([null]), json!([key])],
        }
    }
}

async fn sign(devnet: &Devnet, key: &Key, to: Address, method: u64, params: RawBytes) -> SignedMessage {
    let node = devnet.node();
    let mut draft = message::draft(key.address(), to, TokenAmount::default(), method, params);
    draft.sequence = node.nonce(&key.address()).await.unwrap();
    key.sign(node.gas_estimate(&draft, None).await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_method_answers_in_the_form_that_it_has_in_frc_0104() {
    let past = Past::new().await;
    let node = past.devnet.node();
    let shapes = Shapes::open();
    let (mut called, mut spoilt) = (0, 0);
    for (name, signature) in &shapes.methods {
        let short = name.strip_prefix("Filecoin.").unwrap();
        if NOT_SERVED.iter().any(|(not, _)| *not == short) {
            continue;
        }
        for params in past.calls(short).await {
            let answer = node.request(name, params.clone()).await.unwrap_or_else(|e| panic!("{name} {params}: {e}"));
            shapes
                .check(&signature.result, &answer)
                .unwrap_or_else(|wrong| panic!("{name} {params}{wrong}: {answer:.2000}"));
            called += 1;
            for wrong in spoiled(&answer).into_iter().take(200) {
                if signature.result == "any" || is_free(name, &wrong, &answer) {
                    continue;
                }
                assert!(shapes.check(&signature.result, &wrong).is_err(), "{name} takes {wrong:.500}");
                spoilt += 1;
            }
        }
    }
    assert!(called > 150 && spoilt > 1000, "{called} calls, {spoilt} spoilt answers");
    shop::sound(&past.devnet).await;
}

/// Where the form says nothing about what was spoilt: states and decoded returns are free.
fn is_free(name: &str, wrong: &Value, answer: &Value) -> bool {
    match name {
        "Filecoin.StateReadState" => wrong["State"] != answer["State"],
        "Filecoin.StateWaitMsg" => wrong["ReturnDec"] != answer["ReturnDec"],
        _ => false,
    }
}
