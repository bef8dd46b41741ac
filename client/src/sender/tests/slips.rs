//! What is on its way when a process dies is gone on with by the next one, and never a second time.

use super::*;

/// Writes down which messages of earlier runs are gone on with.
#[derive(Default)]
struct Told(StdMutex<Vec<Cid>>);

impl Watch for Told {
    fn continued(&self, cid: &Cid) {
        self.0.lock().expect("one at a time").push(*cid);
    }
}

impl Told {
    fn count(&self) -> usize {
        self.0.lock().expect("one at a time").len()
    }
}

fn slips_in(folder: &tempfile::TempDir) -> Vec<String> {
    let listing = std::fs::read_dir(folder.path()).into_iter().flatten();
    let names = listing.map(|entry| entry.expect("listed").file_name().into_string().expect("ASCII"));
    names.filter(|name| name.ends_with(".json")).collect()
}

fn pool(chain: &Chain) -> usize {
    chain.state.lock().expect("one at a time").pool.len()
}

/// A node that takes a message and cannot be asked about it.
fn lost() -> Faults {
    Faults { push: Push::TakenButAnswerLost, lookup: Lookup::Fails, ..Faults::default() }
}

#[tokio::test]
async fn what_may_have_arrived_is_gone_on_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let slips = Slips::at(folder.path());
    let told = Told::default();
    let (chain, sender) = start(lost());
    let error = sender.with_slips(slips.clone()).send(&call(), &told).await.expect_err("nobody knows");
    assert!(matches!(error, SendError::Unconfirmed { .. }), "{error}");
    assert_eq!((slips_in(&folder).len(), pool(&chain), told.count()), (1, 1, 0));
    // Another call is none of its business; the same one is that message.
    let (chain, sender) = start_again(&chain, Faults::default());
    let sender = sender.with_slips(slips.clone());
    let other = call().with_value(TokenAmount::from_atto(6));
    sender.send(&other, &told).await.expect("another one");
    assert_eq!((slips_in(&folder).len(), pool(&chain), told.count()), (1, 2, 0));
    let sent = sender.send(&call(), &told).await.expect("found");
    assert_eq!((slips_in(&folder).len(), pool(&chain)), (0, 2), "nothing was sent");
    assert_eq!(*told.0.lock().expect("done"), [sent.cid]);
    // It is over: the same again is meant.
    sender.send(&call(), &told).await.expect("a second one");
    assert_eq!((slips_in(&folder).len(), pool(&chain), told.count()), (0, 3, 1));
}

#[tokio::test]
async fn what_never_arrived_is_handed_over_as_it_was_signed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (chain, sender) = start(Faults { push: Push::NeverArrives, ..lost() });
    let journal = Journal::default();
    sender.with_slips(Slips::at(folder.path())).send(&call(), &journal).await.expect_err("no node");
    let signed = journal.signed.lock().expect("done")[0].clone();
    let (chain, sender) = start_again(&chain, Faults::default());
    let sent = sender.with_slips(Slips::at(folder.path())).send(&call(), &Silent).await.expect("handed over");
    assert_eq!((sent.cid, pool(&chain), slips_in(&folder).len()), (signed.cid(), 1, 0));
}

#[tokio::test]
async fn what_can_never_be_is_made_anew_and_what_is_over_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let slips = || Slips::at(folder.path());
    // It was executed and failed: the estimate says what happens now.
    let (chain, sender) = start(Faults { exit_code: 16, ..lost() });
    sender.with_slips(slips()).send(&call(), &Silent).await.expect_err("nobody knows");
    let (chain, sender) = start_again(&chain, Faults { exit_code: 16, ..Faults::default() });
    let error = sender.with_slips(slips()).send(&call(), &Silent).await.expect_err("again");
    assert!(matches!(error, SendError::Rejected { exit_code: 16, cid: Some(_), .. }), "{error}");
    assert_eq!((pool(&chain), slips_in(&folder).len()), (2, 0));
    // What the node refuses, or the watcher, is not on its way.
    for faults in [
        Faults {
            push: Push::Refused(1, "minimum expected nonce is 5, got 3: message nonce too low"),
            ..Faults::default()
        },
        Faults { push: Push::Refused(1, "not enough funds to execute transaction"), ..Faults::default() },
        Faults { estimate: Some((1, "the node is syncing")), ..Faults::default() },
        Faults { balance: "3", ..Faults::default() },
    ] {
        let (_, sender) = start(faults);
        sender.with_slips(slips()).send(&call(), &Silent).await.expect_err("refused");
        assert_eq!(slips_in(&folder).len(), 0);
    }
    let (_, sender) = start(Faults::default());
    let journal = Journal { stop_at_push: true, ..Journal::default() };
    sender.with_slips(slips()).send(&call(), &journal).await.expect_err("stopped");
    assert_eq!(slips_in(&folder).len(), 0);
    // Not executed in time: it stays.
    let (_, sender) = start(Faults { executes: false, ..Faults::default() });
    sender.with_slips(slips()).send(&call(), &Silent).await.expect_err("nobody mines");
    assert_eq!(slips_in(&folder).len(), 1);
}

/// A gateway that gives up waiting refuses, and has passed the message on: the same command is that message.
#[tokio::test]
async fn a_refusal_that_may_be_none_keeps_the_slip() {
    for (says, stays) in [
        ("upstream timeout", true),
        ("error publishing message: no peers", true),
        ("message from t1x with nonce 3: replace by fee has too low GasPremium", false),
        ("validation failure", false),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let (chain, sender) = start(Faults { push: Push::TakenAndRefused(1, says), ..Faults::default() });
        let error = sender.with_slips(Slips::at(folder.path())).send(&call(), &Silent).await.expect_err("refused");
        assert!(matches!(error, SendError::Refused { .. }), "{error}");
        assert_eq!(slips_in(&folder).len(), usize::from(stays), "{says}");
        if stays {
            let (chain, sender) = start_again(&chain, Faults::default());
            let told = Told::default();
            sender.with_slips(Slips::at(folder.path())).send(&call(), &told).await.expect("found");
            assert_eq!((pool(&chain), told.count(), slips_in(&folder).len()), (1, 1, 0), "{says}");
        }
    }
}

/// Another wallet of the same key has used the nonce: Lotus says so by an error, and it is no reason to wait.
#[tokio::test]
async fn what_was_replaced_by_something_else_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let slips = Slips::at(folder.path());
    let (chain, sender) = start(Faults { executes: false, ..lost() });
    sender.with_slips(slips.clone()).send(&call(), &Silent).await.expect_err("nobody knows");
    let slip = slips.find(|_| true).expect("read").remove(0);
    let (chain, sender) = start_again(&chain, Faults { lookup: Lookup::Replaced, ..Faults::default() });
    assert_eq!(standing(&*chain, &slip, &sender.wait).await.expect("an answer"), Standing::Void);
    let sender = sender.with_slips(slips);
    assert!(sender.go_on(&call(), &Silent).await.expect("over").is_none());
    assert_eq!(slips_in(&folder).len(), 0);
}

/// A node that keeps no old messages says that the nonce is taken: by whom decides whether it is sent once more.
#[tokio::test]
async fn what_was_executed_and_forgotten_is_not_paid_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let slips = || Slips::at(folder.path());
    let forgetful = || Faults { lookup: Lookup::Forgets, ..Faults::default() };
    let (chain, sender) = start(lost());
    sender.with_slips(slips()).send(&call(), &Silent).await.expect_err("nobody knows");
    let (chain, sender) = start_again(&chain, forgetful());
    sender.with_slips(slips()).send(&call(), &Silent).await.expect("found where it was executed");
    assert_eq!((pool(&chain), slips_in(&folder).len()), (1, 0));

    // Another message took the nonce, and the node looks back far enough to say so.
    let (chain, sender) = start(Faults { push: Push::NeverArrives, ..lost() });
    sender.with_slips(slips()).send(&call(), &Silent).await.expect_err("no node");
    let (chain, sender) = start_again(&chain, Faults::default());
    sender.send(&call().with_value(TokenAmount::from_atto(9)), &Silent).await.expect("another one");
    let (chain, sender) = start_again(&chain, forgetful());
    sender.with_slips(slips()).send(&call(), &Silent).await.expect("made anew");
    assert_eq!((pool(&chain), slips_in(&folder).len()), (2, 0));

    // The same on a node that does not look back that far: nobody is to guess.
    let (chain, sender) = start(Faults { push: Push::NeverArrives, ..lost() });
    sender.with_slips(slips()).send(&call(), &Silent).await.expect_err("no node");
    let (chain, sender) = start_again(&chain, Faults::default());
    sender.send(&call().with_value(TokenAmount::from_atto(9)), &Silent).await.expect("another one");
    let (chain, sender) = start_again(&chain, forgetful());
    chain.state.lock().expect("one at a time").head = 1_000_000;
    let short = WaitSettings { lookback: 20, ..sender.wait.clone() };
    let error = sender.with_wait(short).with_slips(slips()).send(&call(), &Silent).await.expect_err("unsure");
    let says = error.to_string();
    assert!(matches!(error, SendError::Forgotten { .. }) && says.contains("an explorer tells"), "{says}");
    assert!(says.contains(folder.path().to_str().expect("ASCII")), "{says}");
    assert_eq!((pool(&chain), slips_in(&folder).len()), (1, 1));
}

#[tokio::test]
async fn those_left_are_settled_by_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let slips = Slips::at(folder.path());
    let (mut chain, sender) = start(lost());
    let mut sender = sender.with_slips(slips.clone());
    for amount in [7, 8] {
        sender.send(&call().with_value(TokenAmount::from_atto(amount)), &Silent).await.expect_err("nobody knows");
        (chain, sender) = start_again(&chain, lost());
        sender = sender.with_slips(slips.clone());
    }
    let error = sender.settle(|_| true, &Silent).await.expect_err("the node says nothing");
    assert!(matches!(error, SendError::Unreachable(_)), "{error}");
    assert_eq!(slips_in(&folder).len(), 2);
    let (chain, sender) = start_again(&chain, Faults::default());
    let sender = sender.with_slips(slips);
    let settled = sender.settle(|message| message.value == TokenAmount::from_atto(8), &Silent).await.expect("found");
    assert_eq!((settled.len(), slips_in(&folder).len(), pool(&chain)), (1, 1, 2));
    assert_eq!(sender.settle(|_| true, &Silent).await.expect("found").len(), 1);
    assert_eq!((slips_in(&folder).len(), pool(&chain)), (0, 2));
    assert!(sender.settle(|_| true, &Silent).await.expect("nothing").is_empty());
}

#[tokio::test]
async fn two_processes_get_nonces_of_their_own_and_do_not_send_the_very_same_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (chain, one) = start(Faults::default());
    let two = Sender::new(chain.clone(), one.key().clone(), Network::Local);
    let (one, two) = (one.with_slips(Slips::at(folder.path())), two.with_slips(Slips::at(folder.path())));
    let calls: Vec<_> = (0..10).map(|n| call().with_value(TokenAmount::from_atto(n))).collect();
    let sends = calls
        .iter()
        .enumerate()
        .map(|(n, call)| if n % 2 == 0 { one.send(call, &Silent) } else { two.send(call, &Silent) });
    for sent in futures::future::join_all(sends).await {
        sent.expect("sent");
    }
    let nonces: Vec<_> = chain.state.lock().expect("done").pool.iter().map(|(s, _)| s.message.sequence).collect();
    assert_eq!(nonces, (0..10).collect::<Vec<_>>());
    let mine = Slips::at(folder.path()).take(&Slips::name(&one.address(), &call())).expect("taken");
    let error = two.send(&call(), &Silent).await.expect_err("somebody else is at it");
    assert!(error.to_string().contains("sending the very same"), "{error}");
    drop(mine);
    two.send(&call(), &Silent).await.expect("sent");
}

/// Whoever writes down what came of a message has its slip until that is done.
#[tokio::test]
async fn a_kept_slip_stays_until_it_is_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let (chain, sender) = start(Faults::default());
    let sender = sender.with_slips(Slips::at(folder.path()));
    let (kept, told) = (call().kept(true), Told::default());
    assert!(sender.go_on(&kept, &told).await.expect("nothing").is_none());
    let sent = sender.send(&kept, &told).await.expect("sent");
    assert!(sender.has_left(&kept).expect("read"));
    assert_eq!(sender.send(&kept, &told).await.expect("the same").cid, sent.cid);
    assert_eq!(sender.go_on(&kept, &told).await.expect("the same").expect("there").cid, sent.cid);
    assert_eq!((pushes(&chain), slips_in(&folder).len(), told.count()), (1, 1, 2));
    sender.forget(&sent.cid).expect("forgotten");
    assert_eq!(slips_in(&folder).len(), 0);
    assert_ne!(sender.send(&kept, &told).await.expect("a second one").cid, sent.cid);
    // What can never be is not kept, and not made anew by who only goes on.
    let (chain, sender) = start(Faults { exit_code: 16, ..lost() });
    let sender = sender.with_slips(Slips::at(folder.path()));
    let other = kept.with_value(TokenAmount::from_atto(6));
    sender.send(&other, &Silent).await.expect_err("nobody knows");
    let (chain, sender) = start_again(&chain, Faults { exit_code: 16, ..Faults::default() });
    let sender = sender.with_slips(Slips::at(folder.path()));
    assert!(sender.go_on(&other, &Silent).await.expect("over").is_none());
    assert_eq!((pool(&chain), sender.has_left(&other).expect("read")), (1, false));
}

#[tokio::test]
async fn what_an_earlier_build_wrote_down_elsewhere_is_the_same_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let slips = Slips::at(folder.path());
    let (chain, sender) = start(Faults::default());
    let journal = Journal { stop_at_push: true, ..Journal::default() };
    sender.send(&call(), &journal).await.expect_err("stopped");
    let slip = Slip { signed: journal.signed.lock().expect("done")[0].clone(), since: 0, kept: false };
    assert!(matches!(sender.adopt(&call(), slip.clone()), Err(SendError::NoSlips)));
    // It may have a slip already, by another name.
    slips.write("another", slip.clone()).expect("written");
    let sender = sender.with_slips(slips.clone());
    for _ in 0..2 {
        sender.adopt(&call(), slip.clone()).expect("adopted");
        assert_eq!(slips_in(&folder), [format!("{}.json", Slips::name(&sender.address(), &call()))]);
    }
    let sent = sender.send(&call(), &Silent).await.expect("sent");
    assert_eq!((sent.cid, pushes(&chain), slips_in(&folder).len()), (slip.signed.cid(), 1, 0));
}

#[tokio::test]
async fn a_node_says_where_a_message_stands() {
    let unseen = |faults: Faults| async move {
        let folder = tempfile::tempdir().expect("a folder");
        let (chain, sender) = start(faults);
        let slips = Slips::at(folder.path());
        sender.with_slips(slips.clone()).send(&call(), &Silent).await.expect_err("nobody knows");
        (chain, slips.find(|_| true).expect("read").remove(0))
    };
    let asked = |chain: Arc<Chain>, slip: Slip, wait: WaitSettings| async move {
        standing(&*chain, &slip, &wait).await.expect("an answer")
    };
    let never = || Faults { push: Push::NeverArrives, ..lost() };
    for (then, now, expected) in [
        (lost(), Faults::default(), Standing::Executed { exit_code: 0, height: 3 }),
        (lost(), Faults { exit_code: 16, ..Faults::default() }, Standing::Executed { exit_code: 16, height: 3 }),
        (lost(), Faults { executes: false, ..Faults::default() }, Standing::Waiting),
        (never(), Faults::default(), Standing::Unsent),
    ] {
        let (chain, slip) = unseen(then).await;
        let (chain, sender) = start_again(&chain, now);
        assert_eq!(asked(chain.clone(), slip, sender.wait.clone()).await, expected);
        assert_eq!(pushes(&chain), 1, "nothing is sent but what was");
    }
    // Another message has its nonce; a node that looks back less far cannot say so.
    let (chain, slip) = unseen(never()).await;
    let (chain, sender) = start_again(&chain, Faults::default());
    sender.send(&call().with_value(TokenAmount::from_atto(9)), &Silent).await.expect("another one");
    assert_eq!(asked(chain.clone(), slip.clone(), sender.wait.clone()).await, Standing::Void);
    chain.state.lock().expect("one at a time").head = 1_000_000;
    let short = WaitSettings { lookback: 20, ..sender.wait.clone() };
    assert_eq!(asked(chain, slip, short).await, Standing::Unknown);
    // A node that says nothing is no answer.
    let (chain, slip) = unseen(never()).await;
    let (chain, sender) = start_again(&chain, lost());
    assert!(standing(&*chain, &slip, &sender.wait).await.is_err());
}

#[tokio::test]
async fn what_is_kept_stays_when_those_left_are_settled() {
    let folder = tempfile::tempdir().expect("a folder");
    let slips = Slips::at(folder.path());
    let (chain, sender) = start(lost());
    sender.with_slips(slips.clone()).send(&call().kept(true), &Silent).await.expect_err("nobody knows");
    let (chain, sender) = start_again(&chain, Faults::default());
    let sender = sender.with_slips(slips.clone());
    let settled = sender.settle(|_| true, &Silent).await.expect("found");
    assert_eq!((settled.len(), slips_in(&folder).len()), (1, 1));
    // Whoever keeps it goes on with it.
    let sent = sender.send(&call().kept(true), &Silent).await.expect("the same");
    assert_eq!((sent.cid, pushes(&chain)), (settled[0].cid, 1));
}

#[test]
fn a_slip_of_an_earlier_build_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let slips = Slips::at(folder.path());
    let key = Key::from_seed(KeyKind::Secp256k1, b"somebody");
    let message = message::draft(key.address(), Address::new_id(7), TokenAmount::from_atto(0), 0, RawBytes::default());
    let slip = Slip { signed: key.sign(message).expect("signed"), since: 5, kept: true };
    slips.write("one", slip.clone()).expect("written");
    let path = folder.path().join("one.json");
    let text = std::fs::read_to_string(&path).expect("read");
    assert!(text.contains(r#","kept":true"#), "{text}");
    std::fs::write(&path, text.replace(r#","kept":true"#, "")).expect("written");
    assert_eq!(slips.find(|_| true).expect("read"), [slip]);
}

#[test]
fn calls_are_the_same_by_what_they_mean() {
    let me = Address::new_id(7);
    let name = |call: &Call| Slips::name(&me, call);
    let (one, other) = (RawBytes::new(vec![1]), RawBytes::new(vec![2]));
    let meant = |params: &RawBytes, meaning: &RawBytes| {
        name(&call().with_params(params.clone()).with_meaning(Some(meaning.clone())))
    };
    assert_eq!(meant(&one, &other), meant(&other, &other));
    assert_ne!(meant(&one, &one), meant(&one, &other));
    assert_ne!(meant(&one, &one), name(&call().with_params(one.clone())));
    for another in [
        Call { to: Address::new_id(1006), ..call() },
        Call { method: 8, ..call() },
        call().with_value(TokenAmount::from_atto(6)),
        call().with_params(other),
    ] {
        assert_ne!(name(&another), name(&call()));
    }
    assert_ne!(Slips::name(&Address::new_id(8), &call()), name(&call()));
}

/// What a slip that nobody understands was about may be on its way: nothing is sent in its place.
#[tokio::test]
async fn a_damaged_slip_stops_what_it_is_of_and_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let slips = Slips::at(folder.path());
    let (chain, sender) = start(Faults::default());
    let sender = sender.with_slips(slips.clone());
    let path = folder.path().join(format!("{}.json", Slips::name(&sender.address(), &call())));
    for text in ["", "{}", r#"{"form":1,"signed":"zz","since":0}"#, r#"{"form":2,"signed":"","since":0}"#, "null"] {
        crate::home::replace_private(&path, text.as_bytes()).expect("written");
        let named = |error: &dyn std::fmt::Display| error.to_string().contains(&path.display().to_string());
        assert!(slips.all().is_err_and(|error| named(&error)), "{text}");
        assert!(sender.send(&call(), &Silent).await.is_err_and(|error| named(&error)), "{text}");
        assert_eq!(std::fs::read_to_string(&path).expect("it stays"), text);
        assert_eq!(pool(&chain), 0);
    }
    // Another call has another slip.
    sender.send(&call().with_value(TokenAmount::from_atto(6)), &Silent).await.expect("sent");
    crate::home::remove(&path).expect("moved away");
    sender.send(&call(), &Silent).await.expect("sent");
    assert_eq!(pool(&chain), 2);
}
