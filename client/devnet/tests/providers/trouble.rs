//! Providers that lie about a seal, and what the chain says of them.

use std::time::Duration;

use bauta_client::deal::{
    Curio, DealError, DealId, DealState, Proposal, StorageProvider, Testimony, Timeouts, Witness, deliver,
    wait_until_sealed,
};
use bauta_client::node::{ProviderSettings, Telling};
use bauta_client::piece::CommP;
use bauta_devnet::genesis::account_key;

use super::shop::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_says_complete_too_early_is_not_believed() {
    let devnet = devnet(None, 1).await;
    let client = account_key(0);
    let shop = Shop::of(&devnet, 0, &client).await;
    let tell = |telling| ProviderSettings { telling: Some(telling), ..ProviderSettings::default() };
    shop.conduct(&devnet, tell(Telling::Complete)).await;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("piece");
    let sent = bytes(40, 2_000);
    std::fs::write(&file, &sent).unwrap();
    let piece = CommP::of(&sent).unwrap();
    let witness = Witness::new(devnet.node(), piece.piece_cid);
    let curio = Curio::new(&shop.url, shop.miner, client.clone(), Timeouts::default()).unwrap();
    let wary = curio.with_witness(witness.clone());
    let id = DealId::generate();
    deliver(&wary, id, &Proposal::upload(piece.clone(), HALF_A_YEAR), &file, None).await.unwrap();

    // Who asks the provider alone believes it.
    assert_eq!(shop.curio.status(id).await.unwrap().unwrap().state, DealState::Complete);
    assert_eq!(wary.status(id).await.unwrap().unwrap().state, DealState::Unproven);
    assert_eq!(witness.look(&shop.miner).await.unwrap(), Testimony::Nothing);
    let ended = wait_until_sealed(&wary, id, Duration::from_millis(300)).await;
    assert!(matches!(ended, Err(DealError::TooSlow { .. })), "{ended:?}");
    assert!(shop.sectors(&devnet).await.is_empty());

    shop.conduct(&devnet, tell(Telling::Truth)).await;
    wait_until_sealed(&wary, id, SEALING).await.unwrap();
    assert_eq!(witness.look(&shop.miner).await.unwrap(), Testimony::Sectors(vec![1]));

    // A sector that has ended testifies to nothing.
    devnet.node().devnet_terminate(&shop.miner, 1).await.unwrap();
    devnet.node().devnet_mine(2).await.unwrap();
    assert_eq!(witness.look(&shop.miner).await.unwrap(), Testimony::Nothing);
    sound(&devnet).await;
    devnet.shutdown().await;
}
