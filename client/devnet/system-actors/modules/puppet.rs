//! An actor for tests that answers from a table, which is its state: `[[method, params | null, exit code, codec, answer]…]`, the
//! first row that fits counts. It is in no bundle; the tests of the Bauta actor put it in the place of miners and the market.

#[cfg(target_arch = "wasm32")]
mod puppet {
    use fvm_ipld_encoding::{BytesDe, from_slice};
    use fvm_sdk::{ipld, message, sself, vm};
    use fvm_shared::error::ExitCode;

    type Row = (u64, Option<BytesDe>, u32, u64, BytesDe);

    /// Called by the VM for every message.
    #[allow(unsafe_code)]
    #[unsafe(no_mangle)]
    extern "C" fn invoke(params: u32) -> u32 {
        let params = message::params_raw(params).ok().flatten().map(|block| block.data).unwrap_or_default();
        let method = message::method_number();
        let table = sself::root().ok().and_then(|root| ipld::get(&root).ok());
        let rows: Vec<Row> = table.and_then(|table| from_slice(&table).ok()).unwrap_or_default();
        let fits = |row: &&Row| row.0 == method && row.1.as_ref().is_none_or(|wanted| wanted.0 == params);
        let Some((_, _, exit, codec, answer)) = rows.iter().find(fits) else {
            vm::exit(ExitCode::USR_UNHANDLED_MESSAGE.value(), None, None)
        };
        if *exit != 0 {
            vm::exit(*exit, None, None);
        }
        if *codec == 0 { fvm_sdk::NO_DATA_BLOCK_ID } else { ipld::put_block(*codec, &answer.0).unwrap_or_default() }
    }
}
