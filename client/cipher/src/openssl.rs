//! OpenSSL 3 of the system, opened while running: its AVX-512 code is the fastest there is, and building it would take Perl and minutes.
#![allow(unsafe_code, reason = "a library in C has no other door")]

use std::ffi::{c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use libloading::Library;

use crate::{KEY, NONCE, TAG};

/// The name of the interface of 3.x, which the project promises not to break.
const FILE: &str = "libcrypto.so.3";

/// From `openssl/crypto.h`: no configuration file is read, and nothing of ours is torn down when the process ends.
const NO_LOAD_CONFIG: u64 = 0x80;
const NO_ATEXIT: u64 = 0x0008_0000;
/// From `openssl/evp.h`.
const GET_TAG: c_int = 0x10;
const SET_TAG: c_int = 0x11;
/// Bytes that are handed over at once: lengths are an `int` there. A multiple of the cipher's block.
const AT_ONCE: usize = 1 << 30;

type InitCrypto = unsafe extern "C" fn(u64, *const c_void) -> c_int;
type NewLibrary = unsafe extern "C" fn() -> *mut c_void;
type FetchCipher = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> *mut c_void;
type NewContext = unsafe extern "C" fn() -> *mut c_void;
type FreeContext = unsafe extern "C" fn(*mut c_void);
type Init = unsafe extern "C" fn(*mut c_void, *const c_void, *const c_void, *const u8, *const u8, c_int) -> c_int;
type Update = unsafe extern "C" fn(*mut c_void, *mut u8, *mut c_int, *const u8, c_int) -> c_int;
type Finish = unsafe extern "C" fn(*mut c_void, *mut u8, *mut c_int) -> c_int;
type Control = unsafe extern "C" fn(*mut c_void, c_int, c_int, *mut c_void) -> c_int;

/// What is used of the library. Never closed: the functions hold for as long as the process.
pub(crate) struct OpenSsl {
    /// The `EVP_CIPHER`, fetched once: fetching takes locks.
    cipher: *const c_void,
    new_context: NewContext,
    free_context: FreeContext,
    init: Init,
    update: Update,
    finish: Finish,
    control: Control,
}

// SAFETY: a fetched EVP_CIPHER is never changed and counts its references atomically; the rest are functions that may be called from any thread,
// each call with a context of its own.
unsafe impl Send for OpenSsl {}
// SAFETY: as above.
unsafe impl Sync for OpenSsl {}

impl OpenSsl {
    /// The library, if the system has it and it has the cipher. Looked for once.
    pub fn get() -> Option<&'static OpenSsl> {
        static FOUND: OnceLock<Option<OpenSsl>> = OnceLock::new();
        FOUND.get_or_init(Self::load).as_ref()
    }

    fn load() -> Option<OpenSsl> {
        // SAFETY: what runs when it is loaded is OpenSSL's own; it sets up nothing before it is called.
        let library = unsafe { Library::new(FILE) }.ok()?;
        // It stays open for good, whatever comes of it: unloading OpenSSL is not safe.
        let library = ManuallyDrop::new(library);
        // SAFETY: the types are those of the functions in OpenSSL 3's headers; pointers to its structures are opaque here.
        unsafe {
            let init_crypto = *library.get::<InitCrypto>(b"OPENSSL_init_crypto\0").ok()?;
            let new_library = *library.get::<NewLibrary>(b"OSSL_LIB_CTX_new\0").ok()?;
            let fetch = *library.get::<FetchCipher>(b"EVP_CIPHER_fetch\0").ok()?;
            if init_crypto(NO_LOAD_CONFIG | NO_ATEXIT, null()) != 1 {
                return None;
            }
            // A library context of our own has the default provider and nothing that somebody configured.
            let own = new_library();
            let cipher = if own.is_null() { null_mut() } else { fetch(own, c"ChaCha20-Poly1305".as_ptr(), null()) };
            if cipher.is_null() {
                return None;
            }
            Some(OpenSsl {
                cipher,
                new_context: *library.get(b"EVP_CIPHER_CTX_new\0").ok()?,
                free_context: *library.get(b"EVP_CIPHER_CTX_free\0").ok()?,
                init: *library.get(b"EVP_CipherInit_ex\0").ok()?,
                update: *library.get(b"EVP_CipherUpdate\0").ok()?,
                finish: *library.get(b"EVP_CipherFinal_ex\0").ok()?,
                control: *library.get(b"EVP_CIPHER_CTX_ctrl\0").ok()?,
            })
        }
    }

    pub fn seal(&self, key: &[u8; KEY], nonce: &[u8; NONCE], text: &mut [u8]) -> [u8; TAG] {
        let context = Context::new(self, key, nonce, true);
        for part in text.chunks_mut(AT_ONCE) {
            let at = part.as_mut_ptr();
            // SAFETY: it is ours to read and write, in one place.
            unsafe { context.update(at, at, part.len()) }
        }
        assert!(context.finish(), "OpenSSL has no memory left");
        let mut tag = [0; TAG];
        context.control(GET_TAG, &mut tag);
        tag
    }

    pub fn open(&self, key: &[u8; KEY], nonce: &[u8; NONCE], sealed: &[u8], tag: &[u8; TAG], plain: &mut [u8]) -> bool {
        let context = Context::new(self, key, nonce, false);
        context.control(SET_TAG, &mut { *tag });
        for (from, to) in sealed.chunks(AT_ONCE).zip(plain.chunks_mut(AT_ONCE)) {
            // SAFETY: two slices of one length, one of which is exclusively ours: so they are apart.
            unsafe { context.update(from.as_ptr(), to.as_mut_ptr(), from.len()) }
        }
        context.finish()
    }
}

/// One text under way. OpenSSL wipes what it knows of the key when the context is freed.
struct Context<'a> {
    openssl: &'a OpenSsl,
    context: *mut c_void,
}

impl<'a> Context<'a> {
    fn new(openssl: &'a OpenSsl, key: &[u8; KEY], nonce: &[u8; NONCE], encrypt: bool) -> Self {
        // SAFETY: a function without arguments.
        let context = unsafe { (openssl.new_context)() };
        assert!(!context.is_null(), "OpenSSL has no memory left");
        let this = Context { openssl, context };
        // SAFETY: the context is live; key and nonce are as long as this cipher takes them (32 and 12 bytes, its defaults), and are copied.
        let begun =
            unsafe { (openssl.init)(context, openssl.cipher, null(), key.as_ptr(), nonce.as_ptr(), encrypt.into()) };
        assert_eq!(begun, 1, "OpenSSL has no memory left");
        this
    }

    /// Encrypts or decrypts so many bytes from one place to another, or in one place.
    ///
    /// # Safety
    ///
    /// `from` can be read and `to` be written for `size` bytes, at most 1 GiB; they are the same or apart.
    unsafe fn update(&self, from: *const u8, to: *mut u8, size: usize) {
        let mut written = 0;
        // SAFETY: the context is live and was begun; a stream cipher writes as much as it reads; the rest is the caller's.
        let done = unsafe { (self.openssl.update)(self.context, to, &mut written, from, size as c_int) };
        assert!(done == 1 && written as usize == size, "OpenSSL has no memory left");
    }

    /// Ends the text: false where it was to be decrypted and the tag is another.
    fn finish(&self) -> bool {
        let mut nothing = [0; TAG];
        let mut written = 0;
        // SAFETY: the context is live and was begun; a stream cipher writes nothing here.
        unsafe { (self.openssl.finish)(self.context, nothing.as_mut_ptr(), &mut written) == 1 }
    }

    /// Gives or takes the tag.
    fn control(&self, which: c_int, tag: &mut [u8; TAG]) {
        // SAFETY: the context is live and was begun; both controls read or write as many bytes as they are told.
        let done = unsafe { (self.openssl.control)(self.context, which, TAG as c_int, tag.as_mut_ptr().cast()) };
        assert_eq!(done, 1, "OpenSSL knows tags of 16 bytes");
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        // SAFETY: it came from `new_context` and goes nowhere else.
        unsafe { (self.openssl.free_context)(self.context) }
    }
}
