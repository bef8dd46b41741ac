// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

// The events of `bauta_abi`, with its names and fields in Solidity's form. A piece commitment and a sha2-256 payload stand for their
// CIDs by their 32 digest bytes; `codec` is the payload's.

event KeyPublished(uint64 indexed owner, uint64 version);

event FileRegistered(uint64 indexed id, uint64 indexed owner, bytes32 indexed piece, bytes32 payload, uint64 codec);

event FileUpdated(
    uint64 indexed id, uint64 indexed owner, bytes32 indexed piece, uint64 version, bytes32 payload, uint64 codec
);

event FileTransferred(uint64 indexed id, uint64 indexed from, uint64 indexed to);

event FileRemoved(uint64 indexed id, uint64 indexed owner);

event AccessGranted(uint64 indexed id, uint64 indexed grantee, uint64 by, uint8 rights, int64 expiration);

event AccessRevoked(uint64 indexed id, uint64 indexed grantee, uint64 by);

event BountyCreated(uint64 indexed id, uint64 indexed creator, bytes32 indexed piece);

event BountyFunded(uint64 indexed id, uint64 indexed funder, uint256 amount);

event BountyClaimed(
    uint64 indexed id, uint64 indexed provider, uint64 claim, uint64 sector, bool byDeal, uint64 deal
);

event BountySettled(
    uint64 indexed id, uint64 indexed provider, uint64 claim, uint256 amount, int64 until, uint8 status
);

event BountyCancelled(uint64 indexed id);

event BountyRefunded(uint64 indexed id, uint64 indexed funder, uint256 amount);
