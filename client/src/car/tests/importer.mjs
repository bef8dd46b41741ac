// Roots of UnixFS files by the JavaScript importer. Reads cases from standard input, writes one CID a line.
import { stdin, stdout } from 'node:process'
import { balanced } from 'ipfs-unixfs-importer/layout'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { importFile } from 'ipfs-unixfs-importer'

// The byte stream of vectors.rs: x = x * 1664525 + 1013904223 mod 2^32, the top eight bits of each.
function * lcg (seed, size) {
  let x = seed >>> 0
  for (let at = 0; at < size;) {
    const part = new Uint8Array(Math.min(1 << 18, size - at))
    for (let i = 0; i < part.length; i++) {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0
      part[i] = x >>> 24
    }
    at += part.length
    yield part
  }
}

const blockstore = { put: async (cid) => cid, get: async () => { throw new Error('not kept') } }
let text = ''
for await (const part of stdin) text += part
for (const { seed, size, chunk_size: chunkSize, max_links: maxChildrenPerNode } of JSON.parse(text)) {
  const { cid } = await importFile({ content: lcg(seed, size) }, blockstore, {
    cidVersion: 1,
    rawLeaves: true,
    wrapWithDirectory: false,
    chunker: fixedSize({ chunkSize }),
    layout: balanced({ maxChildrenPerNode })
  })
  stdout.write(`${cid}\n`)
}
