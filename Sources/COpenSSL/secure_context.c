#include "secure.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

/// Bytes of a client's certificates: OpenSSL's own limit, 100 KiB, is more than anybody has.
static const long certificates_max = 32 * 1024;

/// libssl reads its configuration file at its first use, unless it is told not to: what we accept is to depend on
/// nothing but our own configuration.
static bool prepared(void) {
    return OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1;
}

copenssl_context *copenssl_context_new(bool datagrams) {
    if (!prepared()) return NULL;
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(datagrams ? DTLS_server_method() : TLS_server_method());
    if (context == NULL) return NULL;
    SSL_CTX_set_options(
        context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE
                     | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_QUERY_MTU);
    // Nothing is resumed, but OpenSSL takes a pre-shared key of TLS 1.3 for a session that is, and wants a name for it.
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"dormouse", 8);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_max_early_data(context, 0);
    SSL_CTX_set_recv_max_early_data(context, 0);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_security_level(context, 2);
    SSL_CTX_set_max_cert_list(context, certificates_max);
    SSL_CTX_set_dh_auto(context, 1);
    int lowest = datagrams ? DTLS1_2_VERSION : TLS1_2_VERSION;
    if (SSL_CTX_set_min_proto_version(context, lowest) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

void copenssl_context_free(copenssl_context *context) {
    SSL_CTX_free(context);
}

static int named(SSL *session, int *alert, void *argument) {
    (void)alert;
    const copenssl_delegate *delegate = argument;
    const char *name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
    if (name != NULL) delegate->named(delegate->owner, session, name);
    return SSL_TLSEXT_ERR_OK;
}

void copenssl_set_delegate(copenssl_context *context, const copenssl_delegate *delegate) {
    SSL_CTX_set_app_data(context, (void *)delegate);
    SSL_CTX_set_tlsext_servername_callback(context, named);
    SSL_CTX_set_tlsext_servername_arg(context, (void *)delegate);
}

bool copenssl_set_minimum(copenssl_context *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version) == 1;
}

/// Whether a list has suites that hide nothing, or that anybody could have answered with: those are refused whatever
/// the operator writes (RFC 9325 section 4.1).
static bool are_safe(const STACK_OF(SSL_CIPHER) *suites) {
    for (int index = 0; index < sk_SSL_CIPHER_num(suites); index++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(suites, index);
        if (SSL_CIPHER_get_cipher_nid(suite) == NID_undef) return false;
        if (SSL_CIPHER_get_auth_nid(suite) == NID_auth_null) return false;
    }
    return sk_SSL_CIPHER_num(suites) > 0;
}

bool copenssl_set_ciphers(copenssl_context *context, const char *list) {
    ERR_clear_error();
    return SSL_CTX_set_cipher_list(context, list) == 1 && are_safe(SSL_CTX_get_ciphers(context));
}

bool copenssl_set_ciphersuites(copenssl_context *context, const char *list) {
    ERR_clear_error();
    return SSL_CTX_set_ciphersuites(context, list) == 1 && *list != 0;
}

static unsigned key_of(SSL *session, const char *identity, unsigned char *key, unsigned room) {
    const copenssl_delegate *delegate = SSL_CTX_get_app_data(SSL_get_SSL_CTX(session));
    if (delegate == NULL || identity == NULL) return 0;
    unsigned count = delegate->key(delegate->owner, session, identity, key, room);
    if (count > 0) copenssl_note_identity(session, identity);
    return count;
}

bool copenssl_use_keys(copenssl_context *context, const char *hint) {
    SSL_CTX_set_psk_server_callback(context, key_of);
    return hint == NULL || SSL_CTX_use_psk_identity_hint(context, hint) == 1;
}

static const unsigned char mqtt[] = "\x04mqtt";
static const unsigned char http[] = "\x08http/1.1";

static int choose_protocol(
    SSL *session, const unsigned char **chosen, unsigned char *chosen_count, const unsigned char *offered,
    unsigned offered_count, void *argument) {
    (void)session;
    const unsigned char *ours = argument;
    int result = SSL_select_next_proto(
        (unsigned char **)chosen, chosen_count, ours, ours[0] + 1u, offered, offered_count);
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void copenssl_set_protocol(copenssl_context *context, copenssl_application_protocol protocol) {
    const unsigned char *ours = protocol == COPENSSL_PROTOCOL_HTTP ? http : mqtt;
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, (void *)ours);
}

void copenssl_set_verification(copenssl_context *context, copenssl_verification verification) {
    int mode = SSL_VERIFY_NONE;
    switch (verification) {
    case COPENSSL_VERIFY_NOBODY: break;
    case COPENSSL_VERIFY_IF_GIVEN: mode = SSL_VERIFY_PEER; break;
    case COPENSSL_VERIFY_ALL: mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT; break;
    }
    SSL_CTX_set_verify(context, mode, NULL);
}

/// A PEM text that is read where it lies; NULL if it is too long for OpenSSL.
static BIO *reader(const void *pem, size_t count) {
    ERR_clear_error();
    return count > INT32_MAX ? NULL : BIO_new_mem_buf(count > 0 ? pem : "", (int)count);
}

int copenssl_trust(copenssl_context *context, const void *pem, size_t count) {
    BIO *bio = reader(pem, count);
    if (bio == NULL) return -1;
    STACK_OF(X509_INFO) *found = PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (found == NULL) return -1;
    int taken = 0;
    for (int index = 0; index < sk_X509_INFO_num(found) && taken >= 0; index++) {
        X509 *authority = sk_X509_INFO_value(found, index)->x509;
        if (authority == NULL) continue;
        // Clients that have several certificates choose by what we name.
        bool is_taken = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority) == 1
            && SSL_CTX_add_client_CA(context, authority) == 1;
        taken = is_taken ? taken + 1 : -1;
    }
    sk_X509_INFO_pop_free(found, X509_INFO_free);
    return taken;
}

bool copenssl_trust_directory(copenssl_context *context, const char *path) {
    ERR_clear_error();
    return SSL_CTX_load_verify_dir(context, path) == 1;
}

int copenssl_revoke(copenssl_context *context, const void *pem, size_t count) {
    BIO *bio = reader(pem, count);
    if (bio == NULL) return -1;
    STACK_OF(X509_INFO) *found = PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (found == NULL) return -1;
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    int taken = 0;
    for (int index = 0; index < sk_X509_INFO_num(found) && taken >= 0; index++) {
        X509_CRL *list = sk_X509_INFO_value(found, index)->crl;
        if (list == NULL) continue;
        taken = X509_STORE_add_crl(store, list) == 1 ? taken + 1 : -1;
    }
    sk_X509_INFO_pop_free(found, X509_INFO_free);
    if (taken > 0) X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return taken;
}

void copenssl_ignore_dates(copenssl_context *context) {
    X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_NO_CHECK_TIME);
}

bool copenssl_random(uint8_t *bytes, size_t count) {
    ERR_clear_error();
    return count <= INT32_MAX && RAND_priv_bytes(bytes, (int)count) == 1;
}
