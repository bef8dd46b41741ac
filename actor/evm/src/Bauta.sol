// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Bounties} from "./Bounties.sol";
import {BROKEN, Cbor, R} from "./Cbor.sol";
import {Claims} from "./Claims.sol";
import {Exits} from "./Exits.sol";
import {Files} from "./Files.sol";
import {Grants} from "./Grants.sol";
import {Keys} from "./Keys.sol";
import {Methods} from "./Methods.sol";

/// The Bauta actor as a contract: the same methods, params, returns, exit codes and rules as `bauta_actor`, by three entries.
///
/// No owner, no admin, no upgrade, no pause. Every handler ends the call itself, by `Exits.ok`, `Exits.nothing` or `Exits.fail`.
contract Bauta {
    /// What the FVM calls for FRC-0042 numbers (FIP-0054): params and return are CBOR, the first value of the answer the exit code.
    function handle_filecoin_method(uint64 method, uint64 codec, bytes memory params)
        external
        payable
        returns (uint32, uint64, bytes memory)
    {
        run(method, codec == 0x51 || codec == 0x71, params);
    }

    /// The same for whoever can send nothing but InvokeEVM: f410 accounts, contracts. What is refused reverts with `Rejected`.
    function invoke(uint64 method, bytes memory params) external payable returns (bytes memory) {
        run(method, true, params);
    }

    /// The methods that only read.
    function query(uint64 method, bytes memory params) external view returns (bytes memory) {
        read(method, Cbor.reader(params));
        Exits.fail(Exits.UNHANDLED);
    }

    function run(uint256 m, bool isCbor, bytes memory params) private {
        R memory r = Cbor.reader(params);
        if (!isCbor) r.flaw = BROKEN;
        if (msg.value != 0 && m != Methods.CREATE_BOUNTY && m != Methods.FUND_BOUNTY) Exits.fail(Exits.WRONG_VALUE);
        read(m, r);
        write(m, r);
        Exits.fail(Exits.UNHANDLED);
    }

    /// Runs a view; returns if the method is none.
    function read(uint256 m, R memory r) private view {
        if (m == Methods.GET_KEY) Keys.getKey(r);
        if (m == Methods.GET_FILE) Files.getFile(r);
        if (m == Methods.LIST_FILES) Files.listFiles(r);
        if (m == Methods.GET_GRANT) Grants.getGrant(r);
        if (m == Methods.LIST_GRANTS) Grants.listGrants(r);
        if (m == Methods.LIST_SHARED) Grants.listShared(r);
        if (m == Methods.GET_BOUNTY) Bounties.getBounty(r);
        if (m == Methods.LIST_BOUNTIES) Bounties.listBounties(r);
        if (m == Methods.LIST_BOUNTY_CLAIMS) Claims.listBountyClaims(r);
    }

    /// Runs a method that changes something; returns if there is none.
    function write(uint256 m, R memory r) private {
        if (m == Methods.PUBLISH_KEY) Keys.publishKey(r);
        if (m == Methods.REGISTER_FILE) Files.registerFile(r);
        if (m == Methods.UPDATE_FILE) Files.updateFile(r);
        if (m == Methods.TRANSFER_FILE) Files.transferFile(r);
        if (m == Methods.REMOVE_FILE) Files.removeFile(r);
        if (m == Methods.GRANT_ACCESS) Grants.grantAccess(r);
        if (m == Methods.REVOKE_ACCESS) Grants.revokeAccess(r);
        if (m == Methods.CREATE_BOUNTY) Bounties.createBounty(r);
        if (m == Methods.FUND_BOUNTY) Bounties.fundBounty(r);
        if (m == Methods.SECTOR_CONTENT_CHANGED) Claims.sectorContentChanged(r);
        if (m == Methods.CLAIM_BOUNTY) Claims.claimBounty(r);
        if (m == Methods.SETTLE_BOUNTY) Claims.settleBounty(r);
        if (m == Methods.CANCEL_BOUNTY) Bounties.cancelBounty(r);
        if (m == Methods.REFUND_BOUNTY) Bounties.refundBounty(r);
    }
}
