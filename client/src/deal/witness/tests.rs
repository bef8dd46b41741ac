use serde_json::{Value, json};

use super::*;
use crate::piece::CommP;

/// A chain on which miner 1000 has proven sectors: each by an event of this kind, at this epoch. Sector 9 is gone.
struct Chain {
    proofs: Vec<(&'static str, SectorNumber, ChainEpoch)>,
    refuses: bool,
    asked: Mutex<u32>,
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn cbor<T: serde::Serialize + ?Sized>(value: &T) -> String {
    base64(&fvm_ipld_encoding::to_vec(value).unwrap())
}

#[async_trait::async_trait]
impl Node for Chain {
    async fn request(&self, method: &str, params: Value) -> Result<Value, NodeError> {
        match method {
            "Filecoin.ChainHead" => Ok(json!({"Cids": [], "Blocks": [], "Height": 10_000})),
            "Filecoin.GetActorEventsRaw" => {
                *self.asked.lock().unwrap() += 1;
                let filter = &params[0];
                if self.refuses && filter["toHeight"].is_null() {
                    return Err(NodeError::Refused { code: 1, message: "too far".into() });
                }
                assert_eq!(filter["addresses"], json!(["t01000"]));
                let wanted = filter["fields"]["$type"].as_array().unwrap();
                let from = filter["fromHeight"].as_i64().unwrap();
                let to = filter["toHeight"].as_i64().unwrap_or(i64::MAX);
                let asked_for = |kind: &str| wanted.iter().any(|block| block["value"] == cbor(kind));
                let proofs = self.proofs.iter().filter(|(kind, _, at)| asked_for(kind) && (from..=to).contains(at));
                let event = |(kind, sector, at): &(&str, u64, i64)| {
                    let entry = |key: &str, value| json!({"Flags": 3, "Key": key, "Codec": 0x51, "Value": value});
                    let entries = [entry("$type", cbor(kind)), entry("sector", cbor(sector))];
                    json!({"entries": entries, "emitter": "t01000", "reverted": false, "height": at, "tipsetKey": [],
                           "msgCid": {"/": CommP::of(b"m").unwrap().piece_cid.to_string()}})
                };
                Ok(proofs.map(event).collect())
            }
            "Filecoin.StateCall" => {
                let message = &params[0];
                let gone = message["Params"] == cbor(&(9u64,));
                let answer = cbor(&(if gone { 0u8 } else { 1 }, ByteBuf::new()));
                let (nothing, piece) = ("0", json!({"/": CommP::of(b"m").unwrap().piece_cid.to_string()}));
                let cost = json!({"Message": null, "GasUsed": nothing, "BaseFeeBurn": nothing, "OverEstimationBurn": nothing,
                    "MinerPenalty": nothing, "MinerTip": nothing, "Refund": nothing, "TotalCost": nothing});
                let receipt = json!({"ExitCode": 0, "Return": answer, "GasUsed": 1, "EventsRoot": null});
                Ok(json!({"MsgCid": piece, "Msg": message, "MsgRct": receipt, "GasCost": cost, "Error": ""}))
            }
            other => panic!("{other} is not asked for"),
        }
    }
}

async fn look(proofs: &[(&'static str, SectorNumber, ChainEpoch)], refuses: bool) -> (Testimony, u32) {
    let chain = Arc::new(Chain { proofs: proofs.to_vec(), refuses, asked: Mutex::default() });
    let witness = Witness::new(chain.clone(), CommP::of(b"a piece").unwrap().piece_cid);
    let told = witness.look(&Address::new_id(1000)).await.unwrap();
    let asked = *chain.asked.lock().unwrap();
    (told, asked)
}

#[tokio::test]
async fn new_sectors_and_updated_ones_count_and_dead_ones_do_not() {
    let (activated, updated) = ("sector-activated", "sector-updated");
    let proofs = [(activated, 3, 20), (updated, 5, 700), (activated, 9, 900), ("sector-terminated", 4, 30)];
    assert_eq!(look(&proofs, false).await, (Testimony::Sectors(vec![5, 3]), 1));
    assert_eq!(look(&[(updated, 5, 700), (updated, 5, 9_000)], false).await.0, Testimony::Sectors(vec![5]));
    assert_eq!(look(&[(updated, 9, 700), ("sector-precommitted", 2, 1)], false).await.0, Testimony::Nothing);
    // A node that does not look through all at once is asked window by window.
    let (told, asked) = look(&proofs, true).await;
    assert_eq!(told, Testimony::Sectors(vec![5, 3]));
    assert!(asked > 2, "{asked}");
}
