//! A devnet with providers, and what a client does with one of them.

use std::path::Path;
use std::time::Duration;

use bauta_abi::{
    BountyRecord, GetBountyParams, GetBountyReturn, ListBountyClaimsParams, ListBountyClaimsReturn, Method, Wire,
    decode, encode,
};
use bauta_client::deal::{Curio, DealError, DealId, Proposal, Retrieval, Timeouts, deliver, wait_until_sealed};
use bauta_client::node::ProviderSettings;
use bauta_client::piece::{CommP, PieceInfo};
use bauta_client::wallet::Key;
use bauta_devnet::bundle::Bundle;
use bauta_devnet::genesis::Genesis;
use bauta_devnet::{Config, Devnet, spawn};
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

pub const DAY: ChainEpoch = 2880;
pub const HALF_A_YEAR: ChainEpoch = 180 * DAY;
pub const SECTOR_ACTIVE: &str = "active";
/// How long a seal is waited for: only what is broken takes as long.
pub const SEALING: Duration = Duration::from_secs(120);

pub async fn devnet(state: Option<&Path>, providers: u64) -> Devnet {
    spawn(config(state).with_providers(providers)).await.unwrap()
}

pub fn config(state: Option<&Path>) -> Config {
    let genesis = Genesis { bundle: Bundle::from_environment(), accounts: 3, ..Genesis::default() };
    Config { state: state.map(Path::to_path_buf), genesis, ..Config::default() }
}

/// One whose time passes by itself.
pub async fn ticking(state: Option<&Path>) -> Devnet {
    ticking_every(state, Duration::from_millis(40)).await
}

/// The same at a pace of one's own.
pub async fn ticking_every(state: Option<&Path>, block_time: Duration) -> Devnet {
    let config = Config { block_time: Some(block_time), ..config(state) };
    let devnet = spawn(config.with_providers(1)).await.unwrap();
    until("a miner", || async { !devnet.info().await.unwrap().providers.is_empty() }).await;
    devnet
}

pub fn bytes(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

pub struct Shop {
    pub miner: Address,
    pub url: String,
    pub curio: Curio,
    pub retrieval: Retrieval,
}

impl Shop {
    pub async fn of(devnet: &Devnet, index: usize, client: &Key) -> Self {
        let info = devnet.info().await.unwrap();
        let (miner, url) = (info.providers[index].miner, info.providers[index].url.clone().unwrap());
        let curio = Curio::new(&url, miner, client.clone(), Timeouts::default()).unwrap();
        Self { miner, retrieval: retrieval(&url, Duration::from_secs(10)), curio, url }
    }

    /// Stores bytes and waits until they are in a sector.
    pub async fn store(&self, bytes: &[u8], notify: Option<(Address, Vec<u8>)>) -> PieceInfo {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("piece");
        std::fs::write(&file, bytes).unwrap();
        let piece = CommP::of(bytes).unwrap();
        let proposal = Proposal { notify, ..Proposal::upload(piece.clone(), HALF_A_YEAR) };
        let id = DealId::generate();
        deliver(&self.curio, id, &proposal, &file, None).await.unwrap();
        wait_until_sealed(&self.curio, id, SEALING).await.unwrap();
        piece
    }

    pub async fn fetch(&self, piece: &PieceInfo) -> Result<Vec<u8>, DealError> {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        self.retrieval.fetch_piece(piece, &out, None).await?;
        Ok(std::fs::read(out).unwrap())
    }

    pub async fn conduct(&self, devnet: &Devnet, settings: ProviderSettings) -> Value {
        let params = json!([self.miner.to_string(), settings]);
        devnet.node().request("Devnet.Provider", params).await.unwrap()
    }

    /// Number and state of its sectors, as the miner says.
    pub async fn sectors(&self, devnet: &Devnet) -> Vec<(u64, String)> {
        let described = self.conduct(devnet, ProviderSettings::default()).await;
        let sectors = described["Sectors"].as_array().unwrap();
        sectors.iter().map(|s| (s["Number"].as_u64().unwrap(), s["State"].as_str().unwrap().to_owned())).collect()
    }
}

/// One that waits so long for the next bytes.
pub fn retrieval(url: &str, idle: Duration) -> Retrieval {
    Retrieval::with_timeouts(url, Timeouts { idle, ..Timeouts::default() }).unwrap()
}

/// Signs, pushes and awaits a message; gives what the method returned.
pub async fn send(
    devnet: &Devnet,
    key: &Key,
    to: Address,
    value: TokenAmount,
    method: u64,
    params: Vec<u8>,
) -> RawBytes {
    let (key, from) = (key.clone(), key.address());
    let pushed = devnet.handle().run_and_settle(move |chain| {
        let mut draft = bauta_client::message::draft(from, to, value, method, RawBytes::new(params));
        draft.sequence = chain.next_nonce(&from)?.unwrap_or_default();
        bauta_devnet::estimate::fill(chain, chain.head().state, chain.epoch() + 1, &mut draft)?;
        chain.push(key.sign(draft)?)
    });
    let (cid, settled) = pushed.await.unwrap();
    settled.unwrap();
    let cid = cid.unwrap();
    let included = devnet.handle().run(move |chain| chain.included(&cid)).await.unwrap().unwrap().unwrap();
    assert!(included.receipt.exit_code.is_success(), "{:?}", included.receipt);
    included.receipt.return_data
}

pub async fn ask<T: Wire>(devnet: &Devnet, method: Method, params: Vec<u8>) -> T {
    let actor = devnet.info().await.unwrap().actor.unwrap();
    let asked = devnet
        .handle()
        .run(move |chain| chain.query(&actor, &actor, method.number(), RawBytes::new(params)))
        .await
        .unwrap()
        .unwrap();
    decode(asked.ok().unwrap().value.bytes()).unwrap()
}

pub async fn bounty(devnet: &Devnet, id: u64) -> BountyRecord {
    let found: GetBountyReturn = ask(devnet, Method::GetBounty, encode(&GetBountyParams { id }).unwrap()).await;
    found.unwrap()
}

pub async fn claims(devnet: &Devnet, id: u64) -> ListBountyClaimsReturn {
    let params = ListBountyClaimsParams { id, cursor: None, limit: 100 };
    ask(devnet, Method::ListBountyClaims, encode(&params).unwrap()).await
}

/// Waits until something holds.
pub async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let begun = std::time::Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < SEALING, "{what} does not happen");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

pub async fn sound(devnet: &Devnet) {
    assert_eq!(devnet.node().devnet_check_invariants().await.unwrap(), Vec::<String>::new());
}
