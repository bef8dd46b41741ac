// Checks CurioAuth headers with code that shares nothing with ours: noble's curves and hashes.
// argv[2]: a JSON array of {name, header, method, path, now}. Prints for each whether the header lets its client in.
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { blake2b } from '@noble/hashes/blake2.js'
import { readFileSync } from 'node:fs'

const DST = 'BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_'
const same = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0

// The uncompressed public key that made a recoverable signature over a hash.
function recovered(signature, hash) {
  const parsed = secp256k1.Signature.fromBytes
    ? secp256k1.Signature.fromBytes(signature.subarray(0, 64), 'compact')
    : secp256k1.Signature.fromCompact(signature.subarray(0, 64))
  const point = parsed.addRecoveryBit(signature[64]).recoverPublicKey(hash)
  return point.toBytes ? point.toBytes(false) : point.toRawBytes(false)
}

function bySecp(address, signature, digest) {
  const key = recovered(signature, blake2b(digest, { dkLen: 32 }))
  return same(address.subarray(1), blake2b(key, { dkLen: 20 }))
}

// f410: namespace 10, then the Ethereum address.
function byEth(address, signature, digest) {
  const key = recovered(signature, keccak_256(digest))
  return address[1] === 10 && same(address.subarray(2), keccak_256(key.subarray(1)).subarray(12))
}

function byBls(address, signature, digest) {
  const key = address.subarray(1)
  if (!bls12_381.longSignatures) return bls12_381.verify(signature, digest, key, { DST })
  const scheme = bls12_381.longSignatures
  return scheme.verify(signature, scheme.hash(digest, DST), key)
}

function letsIn({ header, method, path, now }) {
  const fields = /^CurioAuth (secp256k1|bls|delegated):([^:]+):([^:]+)$/.exec(header ?? '')
  if (!fields) return false
  const [address, signature] = [fields[2], fields[3]].map((text) => new Uint8Array(Buffer.from(text, 'base64')))
  const [protocol, kind, check] = { secp256k1: [1, 1, bySecp], bls: [3, 2, byBls], delegated: [4, 3, byEth] }[fields[1]]
  if (address[0] !== protocol || signature[0] !== kind) return false
  return [0, -60, 60].some((offset) => {
    const minute = new Date(Math.floor((now + offset) / 60) * 60_000).toISOString().replace('.000Z', 'Z')
    const digest = sha256(Buffer.concat([address, Buffer.from(method + path + minute)]))
    try {
      return check(address, signature.subarray(1), digest)
    } catch {
      return false
    }
  })
}

const cases = JSON.parse(readFileSync(process.argv[2], 'utf8'))
console.log(JSON.stringify(cases.map((one) => letsIn(one))))
