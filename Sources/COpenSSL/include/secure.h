// OpenSSL's libssl: what TLS and DTLS need of it, with its macros as functions and its callbacks in one place.
#ifndef COPENSSL_SECURE_H
#define COPENSSL_SECURE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What all sessions of a listener share (SSL_CTX).
typedef struct ssl_ctx_st copenssl_context;
/// One TLS or DTLS connection (SSL).
typedef struct ssl_st copenssl_session;
/// A certificate with its chain and its private key.
typedef struct copenssl_pair copenssl_pair;

/// What a context asks its owner while clients shake hands.
typedef struct copenssl_delegate {
    void *owner;
    /// The client asks for the server of this name (SNI); called before a certificate is chosen.
    void (*named)(void *owner, copenssl_session *session, const char *name);
    /// Writes the key of a PSK identity, `room` bytes at most, and returns how many; 0 for an unknown one.
    unsigned (*key)(void *owner, copenssl_session *session, const char *identity, uint8_t *key, unsigned room);
} copenssl_delegate;

// MARK: Contexts (secure_context.c)

/// A server's context with our rules: no versions before 1.2, no renegotiation, compression, tickets, resumption or
/// early data. NULL if there is no memory.
copenssl_context *copenssl_context_new(bool datagrams);
void copenssl_context_free(copenssl_context *context);
/// The delegate must outlive the context and each of its sessions.
void copenssl_set_delegate(copenssl_context *context, const copenssl_delegate *delegate);
/// The lowest version: 0x0303 or 0x0304; DTLS has 1.2 alone.
bool copenssl_set_minimum(copenssl_context *context, int version);
/// Cipher suites up to TLS 1.2, in OpenSSL's notation.
bool copenssl_set_ciphers(copenssl_context *context, const char *list);
/// Cipher suites of TLS 1.3.
bool copenssl_set_ciphersuites(copenssl_context *context, const char *list);
/// Lets clients with keys in; the hint may be NULL.
bool copenssl_use_keys(copenssl_context *context, const char *hint);

typedef enum copenssl_application_protocol {
    COPENSSL_PROTOCOL_MQTT = 0,
    COPENSSL_PROTOCOL_HTTP = 1,
} copenssl_application_protocol;
/// The protocol that clients who name some must name too (ALPN, RFC 7301 section 3.2).
void copenssl_set_protocol(copenssl_context *context, copenssl_application_protocol protocol);

typedef enum copenssl_verification {
    COPENSSL_VERIFY_NOBODY = 0,
    COPENSSL_VERIFY_IF_GIVEN = 1,
    COPENSSL_VERIFY_ALL = 2,
} copenssl_verification;
void copenssl_set_verification(copenssl_context *context, copenssl_verification verification);
/// Trusts the certificates of a PEM text as authorities of clients. How many there were; negative for a fault.
int copenssl_trust(copenssl_context *context, const void *pem, size_t count);
/// Trusts what lies in a directory under its hash (`openssl rehash`).
bool copenssl_trust_directory(copenssl_context *context, const char *path);
/// Takes the revocation lists of a PEM text and looks each client's certificate up in them. How many there were;
/// negative for a fault.
int copenssl_revoke(copenssl_context *context, const void *pem, size_t count);
/// Takes certificates before and after their time.
void copenssl_ignore_dates(copenssl_context *context);

/// `count` bytes that nobody can guess.
bool copenssl_random(uint8_t *bytes, size_t count);

// MARK: Certificates with their keys (secure_pair.c)

typedef enum copenssl_pair_fault {
    COPENSSL_PAIR_FINE = 0,
    COPENSSL_PAIR_CERTIFICATE_UNREADABLE,
    COPENSSL_PAIR_KEY_UNREADABLE,
    COPENSSL_PAIR_KEY_ENCRYPTED,
    COPENSSL_PAIR_KEY_OF_ANOTHER,
} copenssl_pair_fault;
/// Reads a chain, the server's own certificate first, and its key, both as PEM texts. NULL for a fault.
copenssl_pair *copenssl_pair_read(
    const void *chain, size_t chain_count, const void *key, size_t key_count, copenssl_pair_fault *fault);
void copenssl_pair_free(copenssl_pair *pair);
/// Makes a context serve with the pair; one of each kind of key has room.
bool copenssl_pair_use(copenssl_context *context, const copenssl_pair *pair);
/// Takes all pairs away from a session whose certificate is not chosen yet.
void copenssl_pairs_clear(copenssl_session *session);
/// Makes one session serve with the pair.
bool copenssl_pair_choose(copenssl_session *session, const copenssl_pair *pair);
/// Whether the certificate is for a host of this name, wildcards included (RFC 6125).
bool copenssl_pair_fits(const copenssl_pair *pair, const char *name);
/// The certificate's last second, in seconds since 1970; INT64_MAX if it has none that makes sense.
int64_t copenssl_pair_expires(const copenssl_pair *pair);

// MARK: Sessions (secure_session.c)

/// What a call may read and where it may write.
typedef struct copenssl_pipe {
    /// What the peer has sent and nobody has taken yet.
    const uint8_t *input;
    size_t input_count;
    /// Where records go.
    uint8_t *output;
    size_t output_room;
    size_t output_count;
    /// Records that were begun.
    uint32_t records;
    /// Messages of the handshake that came, and alerts of both sides; above the maximum nothing more is read.
    uint32_t messages;
    uint32_t messages_max;
} copenssl_pipe;

typedef enum copenssl_outcome {
    COPENSSL_DONE = 0,
    /// All of the pipe's input is used up, and more must come.
    COPENSSL_WANTS_INPUT,
    /// The pipe's output is full.
    COPENSSL_WANTS_ROOM,
    /// The peer has said in order that nothing more comes.
    COPENSSL_ENDED,
    COPENSSL_FAILED,
} copenssl_outcome;

/// A session for a client of TLS; NULL if there is no memory. Frees nothing of the context.
copenssl_session *copenssl_session_new(copenssl_context *context);
void copenssl_session_free(copenssl_session *session);
copenssl_outcome copenssl_handshake(copenssl_session *session, copenssl_pipe *pipe);
copenssl_outcome copenssl_read(
    copenssl_session *session, copenssl_pipe *pipe, void *room, size_t room_count, size_t *count);
copenssl_outcome copenssl_write(copenssl_session *session, copenssl_pipe *pipe, const void *bytes, size_t count);
/// Says that nothing more comes (close_notify), after the handshake.
void copenssl_say_end(copenssl_session *session, copenssl_pipe *pipe);

/// Why the last call failed, as far as people can do something about it.
typedef enum copenssl_fault {
    COPENSSL_FAULT_OTHER = 0,
    COPENSSL_FAULT_NOT_TLS,
    COPENSSL_FAULT_VERSION,
    COPENSSL_FAULT_NO_CIPHER,
    COPENSSL_FAULT_NO_CERTIFICATE,
    COPENSSL_FAULT_CERTIFICATE,
    COPENSSL_FAULT_NO_PROTOCOL,
    COPENSSL_FAULT_WRONG_KEY,
    COPENSSL_FAULT_ALERT,
} copenssl_fault;
/// Takes the fault of a call that has just failed, and OpenSSL's own words for it, which are never freed; they may be
/// NULL.
copenssl_fault copenssl_take_fault(copenssl_session *session, const char **words);

/// Whether the versions agreed on are those where a key is offered and not demanded: TLS 1.3.
bool copenssl_is_tls13(const copenssl_session *session);
/// `TLSv1.3`, never freed.
const char *copenssl_version_name(const copenssl_session *session);
/// The cipher suite, never freed.
const char *copenssl_cipher_name(const copenssl_session *session);

// MARK: Who the peer is (secure_names.c)

typedef enum copenssl_name_kind {
    COPENSSL_NAME_COMMON = 0,
    COPENSSL_NAME_SUBJECT,
    COPENSSL_NAME_DNS,
    COPENSSL_NAME_URI,
    COPENSSL_NAME_EMAIL,
} copenssl_name_kind;
/// Whether the peer has shown a certificate.
bool copenssl_has_certificate(const copenssl_session *session);
/// The first name of this kind in the peer's certificate, as UTF-8. 0 if there is none; negative if it has no room or
/// is no text.
long copenssl_peer_name(const copenssl_session *session, copenssl_name_kind kind, uint8_t *name, size_t room);
/// The PSK identity by whose key the handshake was done; NULL for none. Lives as long as the session.
const char *copenssl_peer_identity(const copenssl_session *session);
/// Notes the identity whose key the delegate gave: called by the context's callback.
void copenssl_note_identity(copenssl_session *session, const char *identity);
#endif
