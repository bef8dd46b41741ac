mod slips;

use std::sync::Mutex as StdMutex;
use std::time::Duration;

use fvm_ipld_encoding::RawBytes;
use serde_json::{Value, json};

use super::*;
use crate::node::json::{MessageJson, SignedMessageJson};
use crate::wallet::KeyKind;

/// A chain of one account: takes messages as a node does, and executes them at once. Its faults are set by each test.
struct Chain {
    state: StdMutex<State>,
    faults: Faults,
}

#[derive(Default)]
struct State {
    head: i64,
    pushes: u32,
    pool: Vec<(SignedMessage, i64)>,
}

#[derive(Clone)]
struct Faults {
    name: &'static str,
    chain_id: &'static str,
    balance: &'static str,
    fee_cap: &'static str,
    estimate: Option<(i64, &'static str)>,
    exit_code: u32,
    push: Push,
    lookup: Lookup,
    executes: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Push {
    Works,
    TakenButAnswerLost,
    NeverArrives,
    Refused(i64, &'static str),
    TakenAndRefused(i64, &'static str),
    TakenWithGarbledAnswer,
}

#[derive(Clone, Copy, PartialEq)]
enum Lookup {
    Works,
    Fails,
    /// Messages are known no more, but where they were executed is.
    Forgets,
    /// Another message was executed in its place.
    Replaced,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            name: "bauta-local",
            chain_id: "0x1df5e76",
            balance: "1000000000000000000",
            fee_cap: "100",
            estimate: None,
            exit_code: 0,
            push: Push::Works,
            lookup: Lookup::Works,
            executes: true,
        }
    }
}

fn refused(code: i64, message: &str) -> Result<Value, NodeError> {
    Err(NodeError::Refused { code, message: message.to_string() })
}

#[async_trait::async_trait]
impl Node for Chain {
    async fn request(&self, method: &str, params: Value) -> Result<Value, NodeError> {
        let mut state = self.state.lock().expect("one at a time");
        let faults = &self.faults;
        match method {
            "Filecoin.StateNetworkName" => Ok(json!(faults.name)),
            "Filecoin.EthChainId" => Ok(json!(faults.chain_id)),
            "Filecoin.WalletBalance" => Ok(json!(faults.balance)),
            "Filecoin.MpoolGetNonce" => Ok(json!(state.pool.len())),
            "Filecoin.StateGetActor" => {
                let (code, executed) = (json!({"/": Cid::default().to_string()}), state.pool.len());
                let nonce = if faults.executes { executed } else { 0 };
                Ok(json!({"Code": code, "Head": code, "Nonce": nonce, "Balance": faults.balance}))
            }
            "Filecoin.ChainHead" => {
                state.head += 1;
                Ok(json!({"Cids": [], "Blocks": [], "Height": state.head}))
            }
            "Filecoin.GasEstimateMessageGas" => match faults.estimate {
                Some((code, message)) => refused(code, message),
                None => {
                    let mut message: MessageJson = serde_json::from_value(params[0].clone()).expect("a message");
                    message.message.gas_limit = 1_000_000;
                    message.message.gas_fee_cap =
                        TokenAmount::from_atto(faults.fee_cap.parse::<u64>().expect("a number"));
                    message.message.gas_premium = TokenAmount::from_atto(1);
                    Ok(serde_json::to_value(message).expect("encodes"))
                }
            },
            "Filecoin.MpoolPush" => {
                state.pushes += 1;
                let signed: SignedMessageJson = serde_json::from_value(params[0].clone()).expect("a signed message");
                signed.0.verify().expect("a node checks signatures");
                signed.0.check().expect("a node checks messages");
                let cid = json!({"/": signed.0.cid().to_string()});
                let unreachable = Err(NodeError::Unreachable("the connection broke".into()));
                match faults.push {
                    Push::NeverArrives => return unreachable,
                    Push::Refused(code, message) => return refused(code, message),
                    _ if faults.lookup == Lookup::Forgets && signed.0.message.sequence < state.pool.len() as u64 => {
                        return refused(1, "minimum expected nonce is 1, got 0: message nonce too low");
                    }
                    _ if state.pool.iter().any(|(known, _)| known == &signed.0) => {
                        return refused(
                            1,
                            "message from t1x with nonce 1 already in mpool: message with nonce already exists",
                        );
                    }
                    _ => {}
                }
                let at = state.head;
                state.pool.push((signed.0, at));
                match faults.push {
                    Push::TakenButAnswerLost => unreachable,
                    Push::TakenAndRefused(code, message) => refused(code, message),
                    Push::TakenWithGarbledAnswer => Ok(json!("what?")),
                    _ => Ok(cid),
                }
            }
            "Filecoin.ChainGetMessage" if faults.lookup == Lookup::Fails => Err(NodeError::Unreachable("gone".into())),
            "Filecoin.ChainGetMessage" if faults.lookup == Lookup::Forgets => {
                refused(1, "blockstore get: ipld: could not find it")
            }
            "Filecoin.ChainGetMessage" => match find(&state, &params[0]) {
                Some((signed, _)) => {
                    Ok(serde_json::to_value(MessageJson::from(signed.message.clone())).expect("encodes"))
                }
                None => refused(1, "blockstore get: ipld: could not find it"),
            },
            "Filecoin.StateSearchMsg" if faults.lookup == Lookup::Replaced => refused(
                1,
                "message was replaced: found message with equal nonce as the one we are looking for that is NOT a valid replacement message (F:bafy n 3, TS: bafy n3)",
            ),
            "Filecoin.StateSearchMsg" => match find(&state, &params[1]).filter(|_| faults.executes) {
                Some((_, at)) => Ok(json!({"Message": params[1], "TipSet": [], "Height": at + 1, "ReturnDec": null,
                    "Receipt": {"ExitCode": faults.exit_code, "Return": "AQ==", "GasUsed": 800_000, "EventsRoot": null}})),
                None => Ok(Value::Null),
            },
            "Filecoin.ChainGetTipSetByHeight" => Ok(json!({"Cids": [], "Blocks": [], "Height": params[0]})),
            other => panic!("{other} is not asked for"),
        }
    }
}

fn find<'s>(state: &'s State, cid: &Value) -> Option<&'s (SignedMessage, i64)> {
    state.pool.iter().find(|(signed, _)| cid["/"] == json!(signed.cid().to_string()))
}

/// Writes down what it is told.
#[derive(Default)]
struct Journal {
    signed: StdMutex<Vec<SignedMessage>>,
    stop_at_price: bool,
    stop_at_push: bool,
}

impl Watch for Journal {
    fn priced(&self, _cost: &Cost) -> Result<(), String> {
        if self.stop_at_price { Err("too dear".into()) } else { Ok(()) }
    }

    fn before_push(&self, signed: &SignedMessage) -> Result<(), String> {
        self.signed.lock().expect("one at a time").push(signed.clone());
        if self.stop_at_push { Err("the disk is full".into()) } else { Ok(()) }
    }
}

fn start(faults: Faults) -> (Arc<Chain>, Sender) {
    start_on(State::default(), faults)
}

/// The chain as another one has left it, and who knows nothing but what is on disk.
fn start_again(chain: &Chain, faults: Faults) -> (Arc<Chain>, Sender) {
    start_on(std::mem::take(&mut *chain.state.lock().expect("one at a time")), faults)
}

fn start_on(state: State, faults: Faults) -> (Arc<Chain>, Sender) {
    let chain = Arc::new(Chain { state: StdMutex::new(state), faults });
    let key = Key::from_seed(KeyKind::Secp256k1, b"sender");
    let pause = Duration::from_millis(1);
    let wait = WaitSettings {
        confidence: 1,
        timeout: Duration::from_millis(200),
        first_pause: pause,
        longest_pause: pause,
        lookback: -1,
    };
    let sender = Sender::new(chain.clone(), key, Network::Local).with_wait(wait);
    (chain, sender)
}

fn call() -> Call {
    Call::new(Address::new_id(1005), 7).with_value(TokenAmount::from_atto(5)).with_params(RawBytes::new(vec![1, 2]))
}

fn pushes(chain: &Chain) -> u32 {
    chain.state.lock().expect("one at a time").pushes
}

#[tokio::test]
async fn sent_and_confirmed() {
    let (chain, sender) = start(Faults::default());
    let journal = Journal::default();
    let sent = sender.send(&call(), &journal).await.expect("sent");
    let signed = journal.signed.lock().expect("done")[0].clone();
    assert_eq!(
        (sent.cid, sent.receipt.return_data.as_slice(), sent.receipt.exit_code),
        (signed.cid(), [1].as_slice(), 0)
    );
    assert_eq!(
        (signed.message.to, signed.message.method_num, signed.message.params.bytes()),
        (call().to, 7, [1, 2].as_slice())
    );
    assert_eq!((signed.message.value.clone(), signed.message.sequence), (call().value, 0));
    sender.send(&call(), &journal).await.expect("sent again");
    assert_eq!(journal.signed.lock().expect("done")[1].message.sequence, 1);
    assert_eq!(pushes(&chain), 2);
}

#[tokio::test]
async fn many_at_once_get_nonces_of_their_own() {
    let (chain, sender) = start(Faults::default());
    let sends = (0..10).map(|_| async { sender.send(&call(), &Silent).await });
    for sent in futures::future::join_all(sends).await {
        sent.expect("sent");
    }
    let state = chain.state.lock().expect("done");
    let nonces: Vec<_> = state.pool.iter().map(|(signed, _)| signed.message.sequence).collect();
    assert_eq!(nonces, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_price_comes_first() {
    let (chain, sender) = start(Faults::default());
    let cost = sender.estimate(&call()).await.expect("estimated");
    assert_eq!(
        (cost.value.clone(), cost.max_fee.clone(), cost.gas_limit),
        (call().value, TokenAmount::from_atto(100_000_000), 1_000_000)
    );
    assert_eq!(cost.total(), TokenAmount::from_atto(100_000_005));
    let journal = Journal { stop_at_price: true, ..Journal::default() };
    assert!(matches!(sender.send(&call(), &journal).await, Err(SendError::Stopped(why)) if why == "too dear"));
    assert!(journal.signed.lock().expect("done").is_empty(), "nothing was signed");
    let journal = Journal { stop_at_push: true, ..Journal::default() };
    assert!(matches!(sender.send(&call(), &journal).await, Err(SendError::Stopped(_))));
    assert_eq!(pushes(&chain), 0);
}

#[tokio::test]
async fn another_network() {
    for (faults, says) in [
        (Faults { name: "mainnet", ..Faults::default() }, "its name is `mainnet`, not `bauta-local`"),
        (Faults { chain_id: "0x13a", ..Faults::default() }, "its chain id is `314`, not `31415926`"),
    ] {
        let (chain, sender) = start(faults);
        let error = sender.send(&call(), &Silent).await.expect_err("another network");
        assert!(matches!(error, SendError::WrongNetwork { .. }));
        assert!(error.to_string().contains(says), "{error}");
        assert!(matches!(sender.estimate(&call()).await, Err(SendError::WrongNetwork { .. })));
        let stale = sender
            .key()
            .sign(message::draft(sender.address(), call().to, call().value, 7, call().params))
            .expect("own");
        assert!(matches!(sender.resume(&stale, 0, &Silent).await, Err(SendError::WrongNetwork { .. })));
        assert_eq!(pushes(&chain), 0);
    }
}

#[tokio::test]
async fn not_enough() {
    for (balance, need) in
        [("0", "0.000000000000000005"), ("4", "0.000000000000000005"), ("100000004", "0.000000000100000005")]
    {
        let (chain, sender) = start(Faults { balance, ..Faults::default() });
        let error = sender.send(&call(), &Silent).await.expect_err("poor");
        assert!(matches!(error, SendError::Funds { .. }), "{error}");
        assert!(error.to_string().contains(&format!("{need} FIL are needed")), "{error}");
        assert_eq!(pushes(&chain), 0);
    }
    let (_, sender) = start(Faults { balance: "100000005", ..Faults::default() });
    sender.send(&call(), &Silent).await.expect("exactly enough");
    let (chain, sender) = start(Faults { fee_cap: "6000000000000", ..Faults::default() });
    assert!(matches!(sender.send(&call(), &Silent).await, Err(SendError::TooExpensive { .. })));
    assert_eq!(pushes(&chain), 0);
    let late = Faults { push: Push::Refused(1, "not enough funds to execute transaction"), ..Faults::default() };
    let (_, sender) = start(late);
    assert!(matches!(sender.send(&call(), &Silent).await, Err(SendError::Funds { .. })));
}

#[tokio::test]
async fn the_actor_rejects() {
    let estimate = Some((3, "message execution failed (exit=[18], vm error=[not the owner])"));
    let (chain, sender) = start(Faults { estimate, ..Faults::default() });
    let error = sender.send(&call(), &Silent).await.expect_err("rejected");
    assert!(
        matches!(&error, SendError::Rejected { exit_code: 18, message, cid: None } if message == "not the owner"),
        "{error}"
    );
    assert_eq!(pushes(&chain), 0);
    let (chain, sender) = start(Faults { exit_code: 41, ..Faults::default() });
    let error = sender.send(&call(), &Silent).await.expect_err("rejected later");
    assert!(matches!(error, SendError::Rejected { exit_code: 41, cid: Some(_), .. }), "{error}");
    assert_eq!(pushes(&chain), 1);
    let (_, sender) = start(Faults { estimate: Some((1, "the node is syncing")), ..Faults::default() });
    assert!(matches!(sender.send(&call(), &Silent).await, Err(SendError::Refused { code: 1, .. })));
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_never_pushed_twice() {
    for push in [Push::TakenButAnswerLost, Push::TakenWithGarbledAnswer] {
        let (chain, sender) = start(Faults { push, ..Faults::default() });
        sender.send(&call(), &Silent).await.expect("it arrived");
        assert_eq!(pushes(&chain), 1);
    }
    let (chain, sender) = start(Faults { push: Push::NeverArrives, ..Faults::default() });
    let error = sender.send(&call(), &Silent).await.expect_err("it did not");
    assert!(matches!(error, SendError::Unreachable(_)) && error.is_retryable(), "{error}");
    assert_eq!(pushes(&chain), 1);
    let faults = Faults { push: Push::TakenButAnswerLost, lookup: Lookup::Fails, ..Faults::default() };
    let (chain, sender) = start(faults);
    let journal = Journal::default();
    let error = sender.send(&call(), &journal).await.expect_err("nobody knows");
    let cid = journal.signed.lock().expect("done")[0].cid();
    assert!(matches!(error, SendError::Unconfirmed { cid: named, .. } if named == cid), "{error}");
    assert_eq!(pushes(&chain), 1);
}

#[tokio::test]
async fn the_node_refuses() {
    let push = Push::Refused(1, "minimum expected nonce is 5, got 3: message nonce too low");
    let (chain, sender) = start(Faults { push, ..Faults::default() });
    let error = sender.send(&call(), &Silent).await.expect_err("refused");
    assert!(matches!(error, SendError::Refused { code: 1, .. }), "{error}");
    assert_eq!(pushes(&chain), 1);
}

#[tokio::test]
async fn resumed_after_a_crash() {
    // The process died between journal and push: nobody knows the message.
    let (chain, sender) = start(Faults::default());
    let journal = Journal { stop_at_push: true, ..Journal::default() };
    sender.send(&call(), &journal).await.expect_err("stopped");
    let signed = journal.signed.lock().expect("done")[0].clone();
    let sent = sender.resume(&signed, 0, &Silent).await.expect("pushed now");
    assert_eq!((sent.cid, pushes(&chain)), (signed.cid(), 1));
    // It died while waiting: the node knows it.
    let again = sender.resume(&signed, 0, &Silent).await.expect("found");
    assert_eq!((again.cid, again.height, pushes(&chain)), (sent.cid, sent.height, 1));
}

#[tokio::test]
async fn not_executed_in_time() {
    let (chain, sender) = start(Faults { executes: false, ..Faults::default() });
    let journal = Journal::default();
    let error = sender.send(&call(), &journal).await.expect_err("nobody mines");
    assert!(
        matches!(error, SendError::Unconfirmed { cid, .. } if cid == journal.signed.lock().expect("done")[0].cid()),
        "{error}"
    );
    assert_eq!(pushes(&chain), 1);
}

#[tokio::test]
async fn messages_that_are_too_long_are_not_pushed() {
    let (chain, sender) = start(Faults::default());
    let long = call().with_params(RawBytes::new(vec![0; 70_000]));
    let error = sender.send(&long, &Silent).await.expect_err("too long");
    assert!(matches!(error, SendError::Message(message::MessageError::TooBig(_))), "{error}");
    assert_eq!(pushes(&chain), 0);
}

#[test]
fn exit_codes_have_names() {
    assert_eq!(ExitName(18).to_string(), "not the caller's right");
    assert_eq!(ExitName(41).to_string(), "code 41");
    let named = (0..=26).filter(|code| !ExitName(*code).to_string().starts_with("code ")).count();
    assert_eq!(named, 21, "success and the 20 that fvm_shared defines");
}
