// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// FRC-0042 numbers, as in `bauta_abi`.
library Methods {
    uint256 internal constant PUBLISH_KEY = 1172840417;
    uint256 internal constant GET_KEY = 657218521;
    uint256 internal constant REGISTER_FILE = 2144462226;
    uint256 internal constant UPDATE_FILE = 2504079360;
    uint256 internal constant TRANSFER_FILE = 3306953352;
    uint256 internal constant REMOVE_FILE = 2442677759;
    uint256 internal constant GET_FILE = 2955603241;
    uint256 internal constant LIST_FILES = 2409937258;
    uint256 internal constant GRANT_ACCESS = 1002456231;
    uint256 internal constant REVOKE_ACCESS = 1833074558;
    uint256 internal constant GET_GRANT = 155362975;
    uint256 internal constant LIST_GRANTS = 4215717042;
    uint256 internal constant LIST_SHARED = 3284245757;
    uint256 internal constant CREATE_BOUNTY = 2772786914;
    uint256 internal constant FUND_BOUNTY = 1677061164;
    uint256 internal constant SECTOR_CONTENT_CHANGED = 2034386435;
    uint256 internal constant CLAIM_BOUNTY = 2921503985;
    uint256 internal constant SETTLE_BOUNTY = 1798432738;
    uint256 internal constant CANCEL_BOUNTY = 1207848506;
    uint256 internal constant REFUND_BOUNTY = 1514968162;
    uint256 internal constant GET_BOUNTY = 4241989544;
    uint256 internal constant LIST_BOUNTIES = 1368215868;
    uint256 internal constant LIST_BOUNTY_CLAIMS = 2924633239;
}
