// Compiles Probe.sol again: `npm install solc@0.8.30` somewhere, then `NODE_PATH=<there>/node_modules node build.mjs`.
import { createRequire } from 'node:module'
import { readFileSync, writeFileSync } from 'node:fs'

const here = new URL('.', import.meta.url)
const require = createRequire(process.env.NODE_PATH ? `${process.env.NODE_PATH}/` : import.meta.url)
const solc = require('solc')
const input = {
  language: 'Solidity',
  sources: { 'Probe.sol': { content: readFileSync(new URL('Probe.sol', here), 'utf8') } },
  settings: {
    optimizer: { enabled: true, runs: 1 },
    viaIR: true,
    evmVersion: 'cancun',
    metadata: { bytecodeHash: 'none', appendCBOR: false },
    outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.methodIdentifiers'] } },
  },
}
const output = JSON.parse(solc.compile(JSON.stringify(input)))
for (const error of output.errors ?? []) if (error.severity === 'error') throw new Error(error.formattedMessage)
const built = { compiler: solc.version() }
for (const [name, contract] of Object.entries(output.contracts['Probe.sol'])) {
  const { bytecode, methodIdentifiers } = contract.evm
  built[name] = { abi: contract.abi, bytecode: `0x${bytecode.object}`, methods: methodIdentifiers }
}
writeFileSync(new URL('Probe.json', here), `${JSON.stringify(built, null, 1)}\n`)
