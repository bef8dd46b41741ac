//! Every method number of every actor, from an account, with params that are none, too few, or nonsense.

use fvm_shared::address::Address;
use multihash_codetable::{Code, MultihashDigest};

use super::Script;

/// Names of exported methods (FRC-0042) of all built-in actors.
const NAMES: &[&str] = &[
    "Receive",
    "AuthenticateMessage",
    "CreateMiner",
    "NetworkRawPower",
    "MinerRawPower",
    "MinerCount",
    "MinerConsensusCount",
    "MinerPower",
    "AddBalance",
    "WithdrawBalance",
    "PublishStorageDeals",
    "GetBalance",
    "GetDealDataCommitment",
    "GetDealClient",
    "GetDealProvider",
    "GetDealLabel",
    "GetDealTerm",
    "GetDealTotalPrice",
    "GetDealClientCollateral",
    "GetDealProviderCollateral",
    "GetDealVerified",
    "GetDealActivation",
    "GetDealSector",
    "SettleDealPayments",
    "SectorContentChanged",
    "ChangeWorkerAddress",
    "ChangePeerID",
    "ChangeMultiaddrs",
    "ConfirmChangeWorkerAddress",
    "RepayDebt",
    "ChangeOwnerAddress",
    "ChangeBeneficiary",
    "GetBeneficiary",
    "GetOwner",
    "IsControllingAddress",
    "GetSectorSize",
    "GetAvailableBalance",
    "GetVestingFunds",
    "GetPeerID",
    "GetMultiaddrs",
    "MaxTerminationFee",
    "InitialPledge",
    "GenerateSectorLocation",
    "ValidateSectorStatus",
    "GetNominalSectorExpiration",
    "AddVerifiedClient",
    "RemoveExpiredAllocations",
    "GetClaims",
    "ExtendClaimTerms",
    "RemoveExpiredClaims",
    "Mint",
    "Destroy",
    "Name",
    "Symbol",
    "Granularity",
    "TotalSupply",
    "Balance",
    "Transfer",
    "TransferFrom",
    "IncreaseAllowance",
    "DecreaseAllowance",
    "RevokeAllowance",
    "Burn",
    "BurnFrom",
    "Allowance",
    "NothingByThisName",
];

/// Where a stranger sees that the actors are not the official ones. None of it is what a user of Bauta, a provider or a wallet
/// sends.
pub const KNOWN: &[(&str, &str)] = &[
    ("market.5(", NOT),
    ("market.6(", NOT),
    ("miner.15(", NOT),
    ("miner.17(", NOT),
    ("miner.19(", NOT),
    ("miner.20(", NOT),
    ("miner.24(", NOT),
    ("miner.30(", NOT),
    ("miner.35(", NOT),
    ("miner.36(", NOT),
    ("miner.ChangeBeneficiary(", NOT),
    ("datacap.Mint(", NOT),
    ("datacap.Destroy(", NOT),
    ("datacap.Transfer(", NOT),
    ("datacap.TransferFrom(", NOT),
    ("datacap.IncreaseAllowance(", NOT),
    ("datacap.DecreaseAllowance(", NOT),
    ("datacap.RevokeAllowance(", NOT),
    ("datacap.Burn(", NOT),
    ("datacap.BurnFrom(", NOT),
    ("verifreg.2(", FROZEN),
    ("verifreg.3(", FROZEN),
    ("verifreg.4(", FROZEN),
    ("verifreg.7(", FROZEN),
    ("verifreg.8(", FROZEN),
    ("verifreg.9(", FROZEN),
    ("verifreg.11(", FROZEN),
    ("verifreg.12(", FROZEN),
    ("verifreg.Receive(", FROZEN),
    ("verifreg.AddVerifiedClient(", FROZEN),
    ("verifreg.RemoveExpiredAllocations(", FROZEN),
    ("verifreg.ExtendClaimTerms(", FROZEN),
    ("verifreg.RemoveExpiredClaims(", FROZEN),
];
const NOT: &str = "not served: exit 22 whatever the params";
const FROZEN: &str = "refused before the params are looked at";

/// FRC-0042.
pub fn number(name: &str) -> u64 {
    let hash = Code::Blake2b512.digest(format!("1|{name}").as_bytes());
    let words = hash.digest().chunks(4).map(|w| u64::from(u32::from_be_bytes(w.try_into().unwrap())));
    words.into_iter().find(|n| *n >= 1 << 24).unwrap()
}

pub fn story(s: &mut Script) {
    let (client, miner, worker) = (s.w.client, s.w.miner, s.w.worker);
    let singletons = [
        ("system", 0),
        ("init", 1),
        ("reward", 2),
        ("cron", 3),
        ("power", 4),
        ("market", 5),
        ("verifreg", 6),
        ("datacap", 7),
    ];
    let mut actors: Vec<_> = singletons.iter().map(|(name, id)| (*name, Address::new_id(*id))).collect();
    actors.extend([("account", worker), ("miner", miner), ("burnt funds", Address::new_id(99))]);
    let numbers = (2..=40).map(|n| (n.to_string(), n));
    let methods: Vec<_> = numbers.chain(NAMES.iter().map(|name| (name.to_string(), number(name)))).collect();
    for (actor, address) in &actors {
        for (name, method) in &methods {
            s.blank(&format!("{actor}.{name}()"), &client, address, *method);
            s.say(&format!("{actor}.{name}([])"), &client, address, *method, &Vec::<u8>::new());
            s.say(&format!("{actor}.{name}(7)"), &client, address, *method, &7u8);
            s.say(&format!("{actor}.{name}([text])"), &client, address, *method, &("text",));
        }
    }
}
