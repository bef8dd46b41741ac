use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bauta_abi::*;
use cid::Cid;
use fvm_shared::address::Address;
use serde_json::{Value, json};

use super::*;

/// A node that answers every `StateCall` with the same receipt.
struct Canned {
    exit: u32,
    returned: Vec<u8>,
    asked: AtomicUsize,
}

#[async_trait]
impl Node for Canned {
    async fn request(&self, method: &str, params: Value) -> Result<Value, NodeError> {
        assert_eq!(method, "Filecoin.StateCall");
        assert!(self.asked.fetch_add(1, Ordering::SeqCst) < 5, "asked without end");
        let cid = json!({"/": Cid::default().to_string()});
        let zero = json!({"Message": null, "GasUsed": "0", "BaseFeeBurn": "0", "OverEstimationBurn": "0", "MinerPenalty": "0",
            "MinerTip": "0", "Refund": "0", "TotalCost": "0"});
        Ok(
            json!({"MsgCid": cid, "Msg": params[0], "GasCost": zero, "ExecutionTrace": null, "Error": format!("broken\n (RetCode={})", self.exit), "Duration": 1,
            "MsgRct": {"ExitCode": self.exit, "Return": STANDARD.encode(&self.returned), "GasUsed": 1, "EventsRoot": null}}),
        )
    }
}

fn actor(exit: u32, returned: Vec<u8>) -> (Arc<Canned>, Actor) {
    let node = Arc::new(Canned { exit, returned, asked: AtomicUsize::new(0) });
    (node.clone(), Actor::new(node, Address::new_id(100)))
}

#[tokio::test]
async fn null_is_nothing() {
    let (_, actor) = actor(0, vec![0xf6]);
    assert_eq!(actor.file(1).await.unwrap(), None);
    assert_eq!(actor.bounty(1).await.unwrap(), None);
    assert_eq!(actor.key(&Address::new_id(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_no_names_method_code_and_sentence() {
    for exit in Exit::ALL {
        let (_, actor) = actor(exit.code().value(), vec![]);
        let error = actor.file(1).await.unwrap_err();
        assert_eq!(error.exit(), Some(*exit));
        let text = error.to_string();
        assert!(text.contains("GetFile") && text.contains(exit.sentence()) && text.contains("broken"), "{text}");
        assert!(!text.contains("RetCode"), "the code is told once: {text}");
    }
    let (_, actor) = actor(4, vec![]);
    assert!(actor.file(1).await.unwrap_err().to_string().contains("no actor at this address"));
}

#[test]
fn the_actors_own_words_are_found_in_a_trace() {
    let said = |code: u32, message: &str| {
        Rejection { method: "ClaimBounty".into(), code, message: message.into(), executed: None }.to_string()
    };
    let two = "message failed with backtrace:\n00: f064 (method 7) -- the deal\u{1b}[2J is not active (46)\n01: f05 (method 9) -- no such deal (17)\n";
    assert_eq!(said(46, two), "ClaimBounty was refused: the deal[2J is not active (exit code 46)");
    let bounds = "message failed with backtrace:\n00: f064 (method 7) -- a parameter is out of bounds: replicas (16)\n (RetCode=16)";
    assert!(said(16, bounds).ends_with("replicas (1 to 16) (exit code 16)"), "{}", said(16, bounds));
    // A contract's code is in what it reverts with, and its words are nowhere.
    let reverted = "message failed with backtrace:\n00: f0101 (method 3844450837) -- contract reverted (33): 0x1234\n";
    let text = said(17, reverted);
    assert!(text.contains(Exit::NotFound.sentence()), "{text}");
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_error() {
    for returned in [vec![], vec![0x80], vec![0xff], vec![0xf6, 0xf6]] {
        let (_, actor) = actor(0, returned);
        assert!(matches!(actor.file(1).await, Err(ActorError::Answer { method: Method::GetFile, .. })));
    }
}

#[tokio::test]
async fn a_cursor_that_comes_twice_ends_a_listing() {
    let grant =
        Grant { wrap: vec![1], rights: Rights::READ, expiration: EPOCH_NEVER, version: 1, state: GrantState::Active };
    let page = ListGrantsReturn { grants: vec![(7, grant)], cursor: Some(3) };
    let (node, actor) = actor(0, encode(&page).unwrap());
    assert_eq!(actor.grants(1).await.unwrap().len(), 2);
    assert_eq!(node.asked.load(Ordering::SeqCst), 2);
}

#[test]
fn what_is_out_of_bounds_is_not_sent() {
    assert!(matches!(Call::revoke_access(1, vec![]), Err(ActorError::Params { method: Method::RevokeAccess, .. })));
    assert!(Call::publish_key("AGE1".into()).is_err());
    let call = Call::refund_bounty(7).unwrap();
    assert_eq!((call.method, call.params.bytes()), (Method::RefundBounty, &[0x81, 7][..]));
}
