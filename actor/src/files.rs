//! Handlers of files.

use bauta_abi::{
    Event, GetFileParams, GetFileReturn, ListFilesParams, ListFilesReturn, RegisterFileParams, RegisterFileReturn,
    RemoveFileParams, TransferFileParams, UpdateFileParams, UpdateFileReturn,
};

use crate::error::Result;
use crate::events;
use crate::runtime::{Runtime, resolve, resolve_existing, transaction, view};

pub fn register_file<R: Runtime>(rt: &mut R, params: RegisterFileParams) -> Result<RegisterFileReturn> {
    let (owner, now) = (rt.caller(), rt.epoch());
    let contents: Vec<_> = params.files.iter().map(events::content).collect();
    let ids = transaction(rt, |state| state.register_files(owner, params.files, now))?;
    for (id, content) in ids.iter().zip(contents) {
        rt.emit(&events::file_registered(*id, owner, content))?;
    }
    Ok(RegisterFileReturn { ids })
}

pub fn update_file<R: Runtime>(rt: &mut R, params: UpdateFileParams) -> Result<UpdateFileReturn> {
    let (caller, now) = (rt.caller(), rt.epoch());
    let UpdateFileParams { id, expected_version, file } = params;
    let content = events::content(&file);
    let changed = transaction(rt, |state| state.update_file(caller, id, expected_version, file, now))?;
    rt.emit(&events::file_updated(id, changed.owner, changed.version, content))?;
    Ok(UpdateFileReturn { version: changed.version })
}

pub fn transfer_file<R: Runtime>(rt: &mut R, params: TransferFileParams) -> Result<()> {
    let caller = rt.caller();
    let to = resolve_existing(rt, &params.to)?;
    let TransferFileParams { id, wrap, .. } = params;
    transaction(rt, |state| state.transfer_file(caller, id, to, wrap))?;
    rt.emit(&Event::FileTransferred { id, from: caller, to })
}

pub fn remove_file<R: Runtime>(rt: &mut R, params: RemoveFileParams) -> Result<()> {
    let owner = rt.caller();
    transaction(rt, |state| state.remove_file(owner, params.id))?;
    rt.emit(&Event::FileRemoved { id: params.id, owner })
}

pub fn get_file<R: Runtime>(rt: &mut R, params: GetFileParams) -> Result<GetFileReturn> {
    view(rt, |state| state.file(params.id))
}

pub fn list_files<R: Runtime>(rt: &mut R, params: ListFilesParams) -> Result<ListFilesReturn> {
    let owner = resolve(rt, &params.owner)?;
    view(rt, |state| state.list_files(owner, params.cursor, params.limit))
}
