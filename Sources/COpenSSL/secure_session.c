#include "secure.h"

#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

// A BIO over a pipe: a record is read where it lies in the caller's read buffer, and written where it leaves from.

static int pipe_read(BIO *bio, char *room, size_t room_count, size_t *count) {
    copenssl_pipe *pipe = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *count = 0;
    if (pipe == NULL || pipe->input_count == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *count = pipe->input_count < room_count ? pipe->input_count : room_count;
    memcpy(room, pipe->input, *count);
    pipe->input += *count;
    pipe->input_count -= *count;
    return 1;
}

static int pipe_write(BIO *bio, const char *bytes, size_t bytes_count, size_t *count) {
    copenssl_pipe *pipe = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *count = 0;
    size_t room = pipe == NULL ? 0 : pipe->output_room - pipe->output_count;
    if (room == 0 && bytes_count > 0) {
        BIO_set_retry_write(bio);
        return 0;
    }
    *count = bytes_count < room ? bytes_count : room;
    memcpy(pipe->output + pipe->output_count, bytes, *count);
    pipe->output_count += *count;
    return 1;
}

static long pipe_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *pipe_method(void) {
    static BIO_METHOD *method = NULL;
    BIO_METHOD *known = __atomic_load_n(&method, __ATOMIC_ACQUIRE);
    if (known != NULL) return known;
    BIO_METHOD *fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pipe");
    if (fresh == NULL) return NULL;
    BIO_meth_set_read_ex(fresh, pipe_read);
    BIO_meth_set_write_ex(fresh, pipe_write);
    BIO_meth_set_ctrl(fresh, pipe_control);
    BIO_METHOD *expected = NULL;
    if (__atomic_compare_exchange_n(&method, &expected, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return fresh;
    BIO_meth_free(fresh);
    return expected;
}

/// Counts what a peer can ask for without end after the handshake: KeyUpdate, requests for another handshake, alerts.
static void note_message(
    int is_ours, int version, int type, const void *bytes, size_t count, SSL *session, void *argument) {
    (void)version;
    (void)bytes;
    (void)count;
    (void)argument;
    copenssl_pipe *pipe = BIO_get_data(SSL_get_rbio(session));
    if (pipe == NULL) return;
    if (type == SSL3_RT_HEADER && !is_ours) pipe->records += 1;
    if (type == SSL3_RT_ALERT || (type == SSL3_RT_HANDSHAKE && !is_ours)) pipe->messages += 1;
    // One read would go on as long as no data comes.
    if (pipe->messages > pipe->messages_max) pipe->input_count = 0;
}

copenssl_session *copenssl_session_new(copenssl_context *context) {
    ERR_clear_error();
    BIO_METHOD *method = pipe_method();
    SSL *session = SSL_new(context);
    BIO *bio = method == NULL ? NULL : BIO_new(method);
    if (session == NULL || bio == NULL) {
        SSL_free(session);
        BIO_free(bio);
        return NULL;
    }
    BIO_set_init(bio, 1);
    SSL_set_bio(session, bio, bio);
    SSL_set_accept_state(session);
    SSL_set_msg_callback(session, note_message);
    return session;
}

void copenssl_session_free(copenssl_session *session) {
    SSL_free(session);
}

/// Before each call: the pipe is the call's, and errors of calls before, of other sessions too, are none of it.
static void begin(SSL *session, copenssl_pipe *pipe) {
    ERR_clear_error();
    BIO_set_data(SSL_get_rbio(session), pipe);
}

static copenssl_outcome end(SSL *session, int result) {
    int error = SSL_get_error(session, result);
    BIO_set_data(SSL_get_rbio(session), NULL);
    switch (error) {
    case SSL_ERROR_NONE: return COPENSSL_DONE;
    case SSL_ERROR_WANT_READ: return COPENSSL_WANTS_INPUT;
    case SSL_ERROR_WANT_WRITE: return COPENSSL_WANTS_ROOM;
    case SSL_ERROR_ZERO_RETURN: return COPENSSL_ENDED;
    default: return COPENSSL_FAILED;
    }
}

copenssl_outcome copenssl_handshake(copenssl_session *session, copenssl_pipe *pipe) {
    begin(session, pipe);
    return end(session, SSL_do_handshake(session));
}

copenssl_outcome copenssl_read(
    copenssl_session *session, copenssl_pipe *pipe, void *room, size_t room_count, size_t *count) {
    *count = 0;
    begin(session, pipe);
    return end(session, SSL_read_ex(session, room, room_count, count));
}

copenssl_outcome copenssl_write(copenssl_session *session, copenssl_pipe *pipe, const void *bytes, size_t count) {
    size_t written = 0;
    begin(session, pipe);
    return end(session, SSL_write_ex(session, bytes, count, &written));
}

void copenssl_say_end(copenssl_session *session, copenssl_pipe *pipe) {
    begin(session, pipe);
    if (!SSL_in_init(session)) SSL_shutdown(session);
    BIO_set_data(SSL_get_rbio(session), NULL);
    ERR_clear_error();
}

/// The alert by which a peer has refused, in words.
static const char *alert_words(int reason) {
    return SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET);
}

copenssl_fault copenssl_take_fault(copenssl_session *session, const char **words) {
    unsigned long error = 0;
    // The oldest is what happened; what follows from it, and what libcrypto said on the way, is not for people.
    for (unsigned long next = ERR_get_error(); next != 0; next = ERR_get_error()) {
        if (error == 0 || (ERR_GET_LIB(error) != ERR_LIB_SSL && ERR_GET_LIB(next) == ERR_LIB_SSL)) error = next;
    }
    int reason = ERR_GET_REASON(error);
    *words = ERR_reason_error_string(error);
    if (ERR_GET_LIB(error) != ERR_LIB_SSL) return COPENSSL_FAULT_OTHER;
    if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
        *words = alert_words(reason);
        return COPENSSL_FAULT_ALERT;
    }
    switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return COPENSSL_FAULT_NOT_TLS;
    case SSL_R_WRONG_VERSION_NUMBER: return SSL_in_before(session) ? COPENSSL_FAULT_NOT_TLS : COPENSSL_FAULT_VERSION;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_INAPPROPRIATE_FALLBACK: return COPENSSL_FAULT_VERSION;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE: return COPENSSL_FAULT_NO_CIPHER;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return COPENSSL_FAULT_NO_CERTIFICATE;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        *words = X509_verify_cert_error_string(SSL_get_verify_result(session));
        return COPENSSL_FAULT_CERTIFICATE;
    case SSL_R_NO_APPLICATION_PROTOCOL: return COPENSSL_FAULT_NO_PROTOCOL;
    case SSL_R_BINDER_DOES_NOT_VERIFY:
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
    case SSL_R_DIGEST_CHECK_FAILED:
        return SSL_in_init(session) ? COPENSSL_FAULT_WRONG_KEY : COPENSSL_FAULT_OTHER;
    default: return COPENSSL_FAULT_OTHER;
    }
}

bool copenssl_is_tls13(const copenssl_session *session) {
    return SSL_version(session) == TLS1_3_VERSION;
}

const char *copenssl_version_name(const copenssl_session *session) {
    return SSL_get_version(session);
}

const char *copenssl_cipher_name(const copenssl_session *session) {
    const char *name = SSL_CIPHER_get_name(SSL_get_current_cipher(session));
    return name == NULL ? "" : name;
}
