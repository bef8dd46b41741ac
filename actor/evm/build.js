// Compiles the contract: `node build.js OUT` writes OUT/Bauta.hex (init code), OUT/Bauta.runtime.hex and OUT/Bauta.abi.json.
// Called by scripts/build-contract, which brings the pinned compiler.
'use strict'
const fs = require('fs')
const path = require('path')
const solc = require('solc')

const folder = path.join(__dirname, 'src')
const out = process.argv[2] || path.join(__dirname, 'build')
const sources = {}
for (const file of fs.readdirSync(folder).filter((name) => name.endsWith('.sol')).sort()) {
  sources[file] = { content: fs.readFileSync(path.join(folder, file), 'utf8') }
}
// The compiler's own sequence without F: it would write a copy of the CBOR routines for each constant that they are called with, a third
// more code.
const optimizerSteps =
  'dhfoDgvulfnTUtnIf[xa[r]EscLMcCTUtTOntnfDIulLculVcul[j]Tpeulxa[rul]xa[r]cLgvifMCTUca[r]LSsTOtfDnca[r]Iulc]jmul[jul]VcTOculjmul:fDnTOcmuO'
// Runs 1: small code. No metadata: the same bytes from the same sources, whatever their comments say.
const settings = {
  optimizer: { enabled: true, runs: 1, details: { yul: true, yulDetails: { optimizerSteps } } },
  viaIR: true,
  evmVersion: 'cancun',
  metadata: { bytecodeHash: 'none', appendCBOR: false },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } },
}
const result = JSON.parse(solc.compile(JSON.stringify({ language: 'Solidity', sources, settings })))
for (const error of result.errors || []) console.error(error.formattedMessage)
if ((result.errors || []).some((error) => error.severity === 'error')) process.exit(1)

const LIMIT = 24576
const contract = result.contracts['Bauta.sol'].Bauta
const runtime = contract.evm.deployedBytecode.object
const size = runtime.length / 2
console.error(`solc ${solc.version()}: ${size} bytes of ${LIMIT}`)
if (size > LIMIT) process.exit(1)
fs.mkdirSync(out, { recursive: true })
fs.writeFileSync(path.join(out, 'Bauta.hex'), contract.evm.bytecode.object + '\n')
fs.writeFileSync(path.join(out, 'Bauta.runtime.hex'), runtime + '\n')
fs.writeFileSync(path.join(out, 'Bauta.abi.json'), JSON.stringify(contract.abi, null, 1) + '\n')
