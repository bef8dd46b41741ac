// Compiles the contracts: `node build.js OUT` writes OUT/NAME.hex (init code), OUT/NAME.runtime.hex and OUT/NAME.abi.json of each.
// `node build.js OUT --standard-json` writes what the compiler is given, OUT/NAME.input.json, as verifiers of sources take it.
// Called by scripts/build-contract, which brings the pinned compiler.
'use strict'
const fs = require('fs')
const path = require('path')
const solc = require('solc')

const out = process.argv[2] || path.join(__dirname, 'build')
const ENTRIES = { Bauta: 'src/Bauta.sol', BautaView: 'lens/BautaView.sol' }

// A file and all that it imports, by their paths here: each contract is compiled without the other, whose sources would change its bytes.
function closure(file, sources = {}) {
  if (sources[file]) return sources
  const content = fs.readFileSync(path.join(__dirname, file), 'utf8')
  sources[file] = { content }
  for (const [, name] of content.matchAll(/^import .* from "(.*)";$/gm)) closure(path.join(path.dirname(file), name), sources)
  return sources
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
const LIMIT = 24576
fs.mkdirSync(out, { recursive: true })
for (const [name, file] of Object.entries(ENTRIES)) {
  const sources = Object.fromEntries(Object.entries(closure(file)).sort(([a], [b]) => (a < b ? -1 : 1)))
  const input = JSON.stringify({ language: 'Solidity', sources, settings })
  if (process.argv[3] === '--standard-json') {
    fs.writeFileSync(path.join(out, `${name}.input.json`), input)
    continue
  }
  const result = JSON.parse(solc.compile(input))
  for (const error of result.errors || []) console.error(error.formattedMessage)
  if ((result.errors || []).some((error) => error.severity === 'error')) process.exit(1)
  const contract = result.contracts[file][name]
  const runtime = contract.evm.deployedBytecode.object
  const size = runtime.length / 2
  console.error(`solc ${solc.version()}: ${name}, ${size} bytes of ${LIMIT}`)
  if (size > LIMIT) process.exit(1)
  fs.writeFileSync(path.join(out, `${name}.hex`), contract.evm.bytecode.object + '\n')
  fs.writeFileSync(path.join(out, `${name}.runtime.hex`), runtime + '\n')
  fs.writeFileSync(path.join(out, `${name}.abi.json`), JSON.stringify(contract.abi, null, 1) + '\n')
}
