//! What the interpreter's own instructions ask of the block and of the message. Everything about accounts, storage and
//! calls has instructions of ours and never comes here.

use fvm_sdk::{message, network, rand};
use revm_interpreter::context_interface::cfg::GasParams;
use revm_interpreter::context_interface::host::LoadError;
use revm_interpreter::context_interface::journaled_state::AccountInfoLoad;
use revm_interpreter::primitives::{Address, B256, Log, U256};
use revm_interpreter::{Host, SStoreResult, SelfDestructResult, StateLoad};

use super::contract::Contract;
use crate::eth::{EthAddress, word_of};

/// `DomainSeparationTag::EvmPrevRandao`.
const PREVRANDAO: i64 = 10;
/// Gas of a block.
const BLOCK_GAS: u64 = 10_000_000_000;

impl Host for Contract {
    fn basefee(&self) -> U256 {
        word_of(&network::base_fee())
    }

    fn gas_limit(&self) -> U256 {
        U256::from(BLOCK_GAS)
    }

    fn difficulty(&self) -> U256 {
        self.prevrandao().unwrap_or_default()
    }

    /// Randomness of this epoch, drawn as every actor draws it.
    fn prevrandao(&self) -> Option<U256> {
        let epoch = network::curr_epoch();
        let beacon = rand::get_beacon_randomness(epoch).ok()?;
        let seed = [&PREVRANDAO.to_be_bytes()[..], &beacon, &epoch.to_be_bytes(), b"prevrandao"].concat();
        Some(U256::from_be_bytes(fvm_sdk::crypto::hash_blake2b(&seed)))
    }

    fn block_number(&self) -> U256 {
        U256::from(network::curr_epoch().unsigned_abs())
    }

    fn timestamp(&self) -> U256 {
        U256::from(network::tipset_timestamp())
    }

    /// A tipset has many miners: nobody.
    fn beneficiary(&self) -> Address {
        Address::ZERO
    }

    fn chain_id(&self) -> U256 {
        U256::from(u64::from(network::chain_id()))
    }

    fn effective_gas_price(&self) -> U256 {
        word_of(&(network::base_fee() + message::gas_premium()))
    }

    /// Of the message, for ORIGIN.
    fn caller(&self) -> Address {
        EthAddress::of(message::origin()).evm()
    }

    fn gas_params(&self) -> &GasParams {
        &self.prices
    }

    fn is_amsterdam_eip8037_enabled(&self) -> bool {
        false
    }

    // There are no blobs and no slots: their instructions are undefined.

    fn blob_gasprice(&self) -> U256 {
        U256::ZERO
    }

    fn blob_hash(&self, _: usize) -> Option<U256> {
        None
    }

    fn slot_num(&self) -> U256 {
        U256::ZERO
    }

    // Instructions of ours take care of these.

    fn max_initcode_size(&self) -> usize {
        usize::MAX
    }

    fn block_hash(&mut self, _: u64) -> Option<B256> {
        None
    }

    fn selfdestruct(&mut self, _: Address, _: Address, _: bool) -> Result<StateLoad<SelfDestructResult>, LoadError> {
        Err(LoadError::DBError)
    }

    fn log(&mut self, _: Log) {}

    fn sstore_skip_cold_load(
        &mut self,
        _: Address,
        _: U256,
        _: U256,
        _: bool,
    ) -> Result<StateLoad<SStoreResult>, LoadError> {
        Err(LoadError::DBError)
    }

    fn sload_skip_cold_load(&mut self, _: Address, _: U256, _: bool) -> Result<StateLoad<U256>, LoadError> {
        Err(LoadError::DBError)
    }

    fn tstore(&mut self, _: Address, _: U256, _: U256) {}

    fn tload(&mut self, _: Address, _: U256) -> U256 {
        U256::ZERO
    }

    fn load_account_info_skip_cold_load(
        &mut self,
        _: Address,
        _: bool,
        _: bool,
    ) -> Result<AccountInfoLoad<'_>, LoadError> {
        Err(LoadError::DBError)
    }
}
