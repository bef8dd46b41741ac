// Runs one peer over a file and prints {"seconds", "result"}: reading the file and starting Node are not counted.
//   node measure.mjs WHAT FILE
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'

const hex = (bytes) => Buffer.from(bytes).toString('hex')

const peers = {
  // Piece commitments: the root in hex.
  async 'data-segment'() {
    const Piece = await import('@web3-storage/data-segment/piece')
    return (bytes) => hex(Piece.fromPayload(bytes).root)
  },
  async 'synapse-core'() {
    const Piece = await import('@filoz/synapse-core/piece')
    return (bytes) => hex(Piece.calculate(bytes).multihash.digest.slice(-32))
  },
  async 'fr32-wasm'() {
    const Hasher = await import('fr32-sha2-256-trunc254-padded-binary-tree-multihash')
    return (bytes) => {
      const hasher = Hasher.create()
      for (let at = 0; at < bytes.length; at += 1 << 20) hasher.write(bytes.subarray(at, at + (1 << 20)))
      const digest = new Uint8Array(hasher.multihashByteLength())
      hasher.digestInto(digest, 0, true)
      return hex(digest.slice(-32))
    }
  },
  // UnixFS: the root CID.
  async 'ipfs-unixfs-importer'() {
    const { importer } = await import('ipfs-unixfs-importer')
    const { fixedSize } = await import('ipfs-unixfs-importer/chunker')
    const { balanced } = await import('ipfs-unixfs-importer/layout')
    const { BlackHoleBlockstore } = await import('blockstore-core/black-hole')
    const options = {
      cidVersion: 1,
      rawLeaves: true,
      wrapWithDirectory: false,
      chunker: fixedSize({ chunkSize: 1 << 20 }),
      layout: balanced({ maxChildrenPerNode: 1024 }),
    }
    return async (bytes) => {
      let root
      for await (const entry of importer([{ content: bytes }], new BlackHoleBlockstore(), options)) root = entry.cid
      return root.toString()
    }
  },
}

const [what, file] = process.argv.slice(2)
const run = await peers[what]()
const bytes = readFileSync(file)
const start = performance.now()
const result = await run(bytes)
console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000, result }))
