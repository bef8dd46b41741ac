//! Waiting, against a chain that only has a head and one message.

use super::*;

/// A chain without blocks: epochs pass with every question for the head.
struct Chain {
    head: Mutex<i64>,
    per_question: i64,
    executed_at: Option<i64>,
    /// How far one search looks back at most, as gateways do.
    reach: i64,
}

fn tipset(height: i64) -> Value {
    let key = json!([json!({"/": crate::message::cid_of(&height.to_be_bytes()).to_string()})]);
    json!({"Cids": key, "Height": height, "Blocks": []})
}

#[async_trait::async_trait]
impl Node for Chain {
    async fn request(&self, method: &str, params: Value) -> Result<Value, NodeError> {
        let mut head = self.head.lock().expect("one at a time");
        match method {
            "Filecoin.ChainHead" => {
                *head += self.per_question;
                Ok(tipset(*head))
            }
            "Filecoin.ChainGetTipSetByHeight" => Ok(tipset(params[0].as_i64().expect("an epoch"))),
            "Filecoin.StateSearchMsg" => {
                let from = match params[0].as_array().map(Vec::len) {
                    Some(0) => *head,
                    _ => (0..=*head).find(|at| tipset(*at)["Cids"] == params[0]).expect("a tipset of this chain"),
                };
                let asked = params[2].as_i64().expect("a look back");
                let reach = if asked < 0 { self.reach } else { asked.min(self.reach) };
                let found = self.executed_at.filter(|at| *at <= from && from - at <= reach);
                Ok(found.map_or(Value::Null, |at| {
                    json!({"Message": params[1], "TipSet": tipset(at)["Cids"], "Height": at, "ReturnDec": null,
                        "Receipt": {"ExitCode": 0, "Return": null, "GasUsed": 1, "EventsRoot": null}})
                }))
            }
            other => panic!("{other} is not asked for"),
        }
    }
}

fn chain(per_question: i64, executed_at: Option<i64>, reach: i64) -> Chain {
    Chain { head: Mutex::new(100), per_question, executed_at, reach }
}

fn patience(confidence: i64, lookback: i64, tries: u64) -> WaitSettings {
    let pause = Duration::from_millis(1);
    let timeout = Duration::from_millis(tries);
    WaitSettings { confidence, timeout, first_pause: pause, longest_pause: pause, lookback }
}

#[tokio::test]
async fn executed_and_deep_enough() {
    let chain = chain(1, Some(105), 20);
    let node: &dyn Node = &chain;
    let cid = crate::message::cid_of(b"m");
    let mut steps = vec![];
    let lookup = node.wait_msg(&cid, 100, &patience(3, 20, 10_000), |step| steps.push(step)).await.expect("executed");
    assert_eq!((lookup.height, lookup.message), (105, cid));
    let pending = steps.iter().filter(|step| matches!(step, Waiting::Pending { .. })).count();
    let executed: Vec<_> = steps.iter().filter(|step| matches!(step, Waiting::Executed { .. })).cloned().collect();
    assert_eq!(pending, 4, "epochs 101 to 104");
    let step = |confidence| Waiting::Executed { height: 105, confidence };
    assert_eq!(executed, [step(0), step(1), step(2)]);
}

#[tokio::test]
async fn never_executed() {
    let chain = chain(1, None, 20);
    let node: &dyn Node = &chain;
    let cid = crate::message::cid_of(b"m");
    let outcome = node.wait_msg(&cid, 100, &patience(0, 20, 50), |_| ()).await;
    assert_eq!(outcome, Err(WaitError::TimedOut(cid)));
}

#[tokio::test]
async fn found_behind_the_reach_of_gateways() {
    // The laptop slept: 200 epochs passed before the first question.
    let chain = chain(200, Some(130), 20);
    let node: &dyn Node = &chain;
    let cid = crate::message::cid_of(b"m");
    let lookup = node.wait_msg(&cid, 100, &patience(5, 20, 10_000), |_| ()).await.expect("found in an earlier range");
    assert_eq!(lookup.height, 130);
}

#[tokio::test]
async fn every_epoch_since_is_reached() {
    for at in 101..=300 {
        let chain = chain(200, Some(at), 20);
        let node: &dyn Node = &chain;
        let found = node.wait_msg(&crate::message::cid_of(b"m"), 100, &patience(0, 20, 10_000), |_| ()).await;
        assert_eq!(found.map(|lookup| lookup.height), Ok(at));
    }
}

#[tokio::test]
async fn a_node_that_is_away_for_a_while() {
    let away = AtomicU32::new(0);
    let inner = chain(1, Some(101), 20);
    struct Flaky<'c>(AtomicU32, &'c Chain);
    #[async_trait::async_trait]
    impl Node for Flaky<'_> {
        async fn request(&self, method: &str, params: Value) -> Result<Value, NodeError> {
            if self.0.fetch_add(1, Ordering::SeqCst) < 3 {
                return Err(NodeError::Unreachable("away".into()));
            }
            self.1.request(method, params).await
        }
    }
    let flaky = Flaky(away, &inner);
    let node: &dyn Node = &flaky;
    let mut unreachable = 0;
    let found = node
        .wait_msg(&crate::message::cid_of(b"m"), 100, &patience(0, 20, 10_000), |step| {
            unreachable += u32::from(matches!(step, Waiting::Unreachable { .. }));
        })
        .await;
    assert_eq!(found.map(|lookup| lookup.height), Ok(101));
    assert_eq!(unreachable, 3);
}

#[tokio::test]
async fn a_refusal_ends_the_waiting() {
    let node = Scripted(Box::new(|_, _| refused(1, "confidence 30 exceeds gateway maximum 20")));
    let node: &dyn Node = &node;
    let outcome = node.wait_msg(&crate::message::cid_of(b"m"), 100, &patience(0, 20, 10_000), |_| ()).await;
    assert!(matches!(outcome, Err(WaitError::Node(NodeError::Refused { code: 1, .. }))));
}
