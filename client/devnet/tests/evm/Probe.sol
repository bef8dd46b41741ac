// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// Something to be created and called.
contract Child {
    uint256 public number;
    address public creator;
    address public lastCaller;

    event Touched(address indexed by, uint256 value);

    error Refused(uint256 code, string why);

    constructor(uint256 n) payable {
        if (n == 666) revert Refused(n, "not this one");
        number = n;
        creator = msg.sender;
    }

    receive() external payable {}

    function touch(uint256 n) external payable returns (uint256) {
        number = n;
        lastCaller = msg.sender;
        emit Touched(msg.sender, msg.value);
        return n + 1;
    }

    function refuse(uint256 code) external pure {
        revert Refused(code, "as asked");
    }

    function die(address payable heir) external {
        selfdestruct(heir);
    }
}

/// Does one thing of the Ethereum VM a method, so that two implementations can be compared.
contract Probe {
    uint256 public number;
    mapping(uint256 => uint256) public numbers;
    uint256[] public list;
    string public text;

    event Zero() anonymous;
    event One(uint256 a) anonymous;
    event Three(uint256 indexed a, bytes32 indexed b, address indexed c, bytes data);
    event NoData(uint256 indexed a);

    error Custom(uint256 a, address b);

    constructor(uint256 n) payable {
        number = n;
        text = "a text that is longer than one word of storage, by far";
    }

    receive() external payable {}

    // --- storage ---

    function set(uint256 n) external payable returns (uint256 old) {
        old = number;
        number = n;
    }

    function put(uint256 from, uint256 count) external {
        for (uint256 i = 0; i < count; i++) {
            numbers[from + i] = i + 1;
            list.push(from + i);
        }
    }

    function clear(uint256 from, uint256 count) external {
        for (uint256 i = 0; i < count; i++) {
            delete numbers[from + i];
            list.pop();
        }
    }

    function transient_(uint256 slot, uint256 value) external returns (uint256 before, uint256 direct, uint256 nested) {
        assembly {
            before := tload(slot)
            tstore(slot, value)
            direct := tload(slot)
        }
        nested = this.transientAt(slot);
    }

    function transientAt(uint256 slot) external view returns (uint256 value) {
        assembly {
            value := tload(slot)
        }
    }

    // --- logs ---

    function logs(uint256 a, bytes32 b, bytes calldata data) external {
        emit Zero();
        emit One(a);
        emit Three(a, b, msg.sender, data);
        emit NoData(a);
        assembly {
            log0(0, 0)
            mstore(0, a)
            log2(0, 32, a, b)
            log4(0, 0, 1, 2, 3, 4)
        }
    }

    // --- failing ---

    function fail(uint256 how) external view returns (uint256) {
        if (how == 0) revert();
        if (how == 1) revert("a reason");
        if (how == 2) revert Custom(7, msg.sender);
        if (how == 3) assert(number == type(uint256).max);
        if (how == 4) return 1 / (how - 4);
        if (how == 5) return list[1 << 40];
        if (how == 6) {
            assembly {
                invalid()
            }
        }
        if (how == 7) {
            assembly {
                returndatacopy(0, 0, 1)
            }
        }
        if (how == 8) {
            assembly {
                mstore(0xffffffffffffffff, 1)
            }
        }
        return how;
    }

    // --- what the code is told ---

    struct Environment {
        address self;
        address sender;
        address origin;
        uint256 value;
        uint256 balance;
        uint256 number;
        uint256 timestamp;
        uint256 chain;
        uint256 baseFee;
        uint256 gasPrice;
        uint256 gasLimit;
        address coinbase;
        uint256 random;
        bool hasPast;
        bytes32 present;
        bytes32 ancient;
    }

    function environment() external payable returns (Environment memory e) {
        e.self = address(this);
        e.sender = msg.sender;
        e.origin = tx.origin;
        e.value = msg.value;
        e.balance = address(this).balance;
        e.number = block.number;
        e.timestamp = block.timestamp;
        e.chain = block.chainid;
        e.baseFee = block.basefee;
        e.gasPrice = tx.gasprice;
        e.gasLimit = block.gaslimit;
        e.coinbase = block.coinbase;
        e.random = block.prevrandao;
        e.hasPast = blockhash(block.number - 1) != 0;
        e.present = blockhash(block.number);
        e.ancient = blockhash(block.number + 300);
    }

    function account(address who) external view returns (uint256 balance, uint256 size, bytes32 hash, bytes memory code) {
        return (who.balance, who.code.length, who.codehash, who.code);
    }

    // --- others ---

    function create(uint256 n, uint256 value) external returns (address made, bytes memory reason) {
        try new Child{value: value}(n) returns (Child child) {
            made = address(child);
        } catch (bytes memory data) {
            reason = data;
        }
    }

    function create2(uint256 n, bytes32 salt) external returns (address made, bytes memory reason) {
        try new Child{salt: salt}(n) returns (Child child) {
            made = address(child);
        } catch (bytes memory data) {
            reason = data;
        }
    }

    function call(address to, uint256 value, bytes calldata data) external payable returns (bool ok, bytes memory result) {
        (ok, result) = to.call{value: value}(data);
    }

    function staticCall(address to, bytes calldata data) external view returns (bool ok, bytes memory result) {
        (ok, result) = to.staticcall(data);
    }

    function delegateCall(address to, bytes calldata data) external payable returns (bool ok, bytes memory result) {
        (ok, result) = to.delegatecall(data);
    }

    function callWithGas(address to, uint256 gas_, bytes calldata data) external returns (bool ok, bytes memory result) {
        (ok, result) = to.call{gas: gas_}(data);
    }

    function pay(address payable to, uint256 value) external {
        to.transfer(value);
    }

    function dieTwice(Child child, address payable heir) external returns (uint256 between, uint256 size) {
        child.die(heir);
        between = child.number();
        child.die(heir);
        size = address(child).code.length;
    }

    function recurse(uint256 depth) external returns (uint256) {
        return depth == 0 ? number : this.recurse(depth - 1) + 1;
    }

    function burn() external view {
        uint256 x = number;
        while (true) x = uint256(keccak256(abi.encode(x)));
    }

    // --- Filecoin ---

    function handle_filecoin_method(uint64 method, uint64 codec, bytes calldata params)
        external
        payable
        returns (uint32 exit, uint64 codecOut, bytes memory result)
    {
        number = method;
        if (method == 20000001) return (0, 0, "");
        if (method == 20000002) return (21, 0x51, params);
        if (method == 20000003) return (0, 0x71, params);
        if (method == 20000004) return (0, 0, params);
        if (method == 20000005) revert Custom(method, msg.sender);
        if (method == 20000006) {
            assembly {
                return(0, 0)
            }
        }
        return (0, 0x51, abi.encodePacked(uint8(0x58), uint8(params.length + 1), uint8(codec), params));
    }
}
